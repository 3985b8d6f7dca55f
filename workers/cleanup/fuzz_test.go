package cleanup_test

import (
	"encoding/json"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/cleanup"
)

// Files are removed only where the ledger's own event names them.
func FuzzDeletion(f *testing.F) {
	f.Add((image.Deleted{}).EventName(), []byte(`{"keys":["a.png"]}`), true)
	f.Add((image.Deleted{}).EventName(), []byte(`{"keys":[1]}`), true)
	f.Add((image.Deleted{}).EventName(), []byte(`{"keys":["a.png"]}`), false)
	f.Add((image.Tagged{}).EventName(), []byte(`{`), false)
	f.Fuzz(func(t *testing.T, name string, data []byte, honest bool) {
		e := eventstore.Envelope{Shard: 1, Pos: 2, Stream: "image-x", Version: 1, Type: name, Data: data}
		msg := message.NewMessage("id", data)
		for header, value := range e.Headers() {
			msg.Metadata.Set(header, value)
		}
		if !honest {
			msg.Metadata.Set(eventstore.HeaderLeaf, eventstore.Hash{}.String())
		}
		store := &objects{}
		err := cleanup.RemoveObjects(store, nil).Handle(t.Context(), msg)
		var deleted image.Deleted
		fits := json.Unmarshal(data, &deleted) == nil
		if name != deleted.EventName() || !honest || !fits {
			require.Empty(t, store.removed)
			require.Equal(t, name == deleted.EventName(), err != nil)
			return
		}
		require.NoError(t, err)
		require.ElementsMatch(t, deleted.Keys, store.removed)
	})
}
