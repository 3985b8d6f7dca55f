package projections

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
)

type oneKey struct{}

func (oneKey) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

type anyEvent struct{ Projection }

func (anyEvent) Handles(string) bool { return true }

// An event that cannot be read is the event's fault and no trouble that another try mends: else it would stop its
// shard for ever instead of being parked.
func FuzzUnreadableEvents(f *testing.F) {
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(f, err)
	for _, typ := range catalog.Events() {
		f.Add(typ.Name, []byte(`{"at":1}`), []byte("{}"))
		f.Add(typ.Name, []byte(`{"at":"x"}`), []byte("{}"))
		f.Add(typ.Name, []byte(`{"name":"clear","spec":{"prompt":"sealed:v1:AA"}}`), []byte("[]"))
	}
	f.Add("account.unknown.v9", []byte("{"), []byte("{"))
	f.Fuzz(func(t *testing.T, name string, data, metadata []byte) {
		stored := eventstore.Envelope{Shard: 1, Pos: 2, Type: name, Data: data, Metadata: metadata}
		events, err := decode(t.Context(), codec, anyEvent{}, []eventstore.Envelope{stored})
		if err != nil {
			require.Nil(t, events)
			require.False(t, transient(err), "%v", err)
			return
		}
		require.Len(t, events, 1)
		require.Equal(t, name, events[0].Event.EventName())
	})
}
