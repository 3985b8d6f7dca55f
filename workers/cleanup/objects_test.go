package cleanup_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/cleanup"
)

type objects struct {
	removed []string
	err     error
}

func (o *objects) Delete(_ context.Context, keys ...string) error {
	if o.err == nil {
		o.removed = append(o.removed, keys...)
	}
	return o.err
}

func published(t *testing.T, e domain.Event) *message.Message {
	t.Helper()
	data, err := json.Marshal(e)
	require.NoError(t, err)
	envelope := eventstore.Envelope{Shard: 1, Pos: 2, Stream: "image-x", Version: 1, Type: e.EventName(), Data: data}
	msg := message.NewMessage("id", data)
	for name, value := range envelope.Headers() {
		msg.Metadata.Set(name, value)
	}
	return msg
}

func TestFilesOfDeletedImagesAreRemoved(t *testing.T) {
	t.Parallel()
	store := &objects{}
	handle := cleanup.RemoveObjects(store, nil).Handle
	require.NoError(t, handle(t.Context(), published(t, image.Tagged{Tags: []string{"x"}})))
	require.Empty(t, store.removed)

	deleted := published(t, image.Deleted{Keys: []string{"a.png", "a.thumb.jpg"}})
	require.NoError(t, handle(t.Context(), deleted))
	require.Equal(t, []string{"a.png", "a.thumb.jpg"}, store.removed)

	store.err = errors.New("the store is away")
	require.ErrorIs(t, handle(t.Context(), deleted), store.err, "it comes again")

	deleted.Payload = []byte(`{"keys":["somebody else's"]}`)
	require.ErrorContains(t, handle(t.Context(), deleted), "was changed on its way")
	require.Len(t, store.removed, 2)
}
