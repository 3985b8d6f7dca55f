package cleanup

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers"
)

// ObjectsGroup is the consumer group that removes the files of deleted images.
const ObjectsGroup = "pingvas.cleanup"

// Objects is the store of pictures. Deleting what is not there changes nothing.
type Objects interface {
	Delete(ctx context.Context, keys ...string) error
}

// RemoveObjects handles the ledger's events: the files of an image that its owner has deleted are removed. A repeated
// event changes nothing.
func RemoveObjects(store Objects, subscriber message.Subscriber) workers.Handler {
	return workers.Handler{
		Name: "cleanup", Topic: eventstore.Topic, Subscriber: subscriber,
		Handle: func(ctx context.Context, msg *message.Message) error { return removeObjects(ctx, store, msg) },
	}
}

func removeObjects(ctx context.Context, store Objects, msg *message.Message) error {
	if msg.Metadata.Get(eventstore.HeaderType) != (image.Deleted{}).EventName() {
		return nil
	}
	e, err := eventstore.FromWire(msg.Metadata.Get, msg.Payload)
	if err != nil {
		return workers.Poison(fmt.Errorf("read a deletion: %w", err))
	}
	var deleted image.Deleted
	if err := json.Unmarshal(e.Data, &deleted); err != nil {
		return workers.Poison(fmt.Errorf("decode the deletion at %s: %w", e.Position(), err))
	}
	if err := store.Delete(ctx, deleted.Keys...); err != nil {
		return fmt.Errorf("remove the files of %s: %w", deleted.Image, err)
	}
	return nil
}
