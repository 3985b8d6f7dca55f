package eventstore_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	alice domain.AccountID = "acc_01k00000000000000000000001"
	bob   domain.AccountID = "acc_01k00000000000000000000002"
)

type keys map[domain.AccountID][]byte

func (k keys) Key(_ context.Context, id domain.AccountID) ([]byte, error) {
	if k[id] == nil {
		return nil, eventstore.ErrKeyErased
	}
	return k[id], nil
}

func newCodec(t testing.TB) (*eventstore.Codec, keys) {
	t.Helper()
	ring := keys{alice: make([]byte, eventstore.DataKeyBytes), bob: append(make([]byte, eventstore.DataKeyBytes-1), 1)}
	codec, err := eventstore.NewCodec(catalog.Events(), ring)
	require.NoError(t, err)
	return codec, ring
}

func requested() generation.Requested {
	return generation.Requested{
		Account: alice,
		Spec:    generation.Spec{Prompt: "고양이 in the snow", NegativePrompt: "dogs", Tags: []string{"cat"}},
		At:      time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
	}
}

func envelope(t *testing.T, owner domain.AccountID, e domain.Event, data []byte) eventstore.Envelope {
	t.Helper()
	meta, err := json.Marshal(eventstore.Metadata{Account: owner})
	require.NoError(t, err)
	return eventstore.Envelope{Type: e.EventName(), Data: data, Metadata: meta}
}

func TestSealedFieldsComeBackForTheirAccountOnly(t *testing.T) {
	t.Parallel()
	codec, ring := newCodec(t)
	data, err := codec.Encode(t.Context(), alice, requested())
	require.NoError(t, err)
	require.NotContains(t, string(data), "고양이")
	require.NotContains(t, string(data), "dogs")

	back, err := codec.Decode(t.Context(), envelope(t, alice, requested(), data))
	require.NoError(t, err)
	require.Equal(t, requested(), back)

	_, err = codec.Decode(t.Context(), envelope(t, bob, requested(), data))
	require.ErrorContains(t, err, "does not open")

	delete(ring, alice)
	back, err = codec.Decode(t.Context(), envelope(t, alice, requested(), data))
	require.NoError(t, err)
	require.Equal(t, eventstore.Erased, back.(generation.Requested).Spec.Prompt)
	require.Equal(t, []string{"cat"}, back.(generation.Requested).Spec.Tags)
}

func TestSealedFieldCannotMoveToAnotherField(t *testing.T) {
	t.Parallel()
	codec, _ := newCodec(t)
	data, err := codec.Encode(t.Context(), alice, requested())
	require.NoError(t, err)
	var moved generation.Requested
	require.NoError(t, json.Unmarshal(data, &moved))
	moved.Spec.Prompt, moved.Spec.NegativePrompt = moved.Spec.NegativePrompt, moved.Spec.Prompt
	swapped, err := json.Marshal(moved)
	require.NoError(t, err)
	_, err = codec.Decode(t.Context(), envelope(t, alice, moved, swapped))
	require.ErrorContains(t, err, "does not open")
}

func TestUnsealedPersonalDataIsRefused(t *testing.T) {
	t.Parallel()
	codec, _ := newCodec(t)
	_, err := codec.Decode(t.Context(), envelope(t, alice, account.Opened{}, []byte(`{"name":"in the clear"}`)))
	require.ErrorContains(t, err, "must be sealed")
}

func TestCodecRefusesWhatIsNotInTheCatalogue(t *testing.T) {
	t.Parallel()
	codec, _ := newCodec(t)
	var unknown *eventstore.UnknownTypeError
	_, err := codec.Decode(t.Context(), eventstore.Envelope{Type: "account.vanished.v1", Data: []byte(`{}`)})
	require.ErrorAs(t, err, &unknown)
	_, err = eventstore.NewCodec(append(account.Events(), account.Events()...), keys{})
	require.ErrorContains(t, err, "twice")
}
