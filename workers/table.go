package workers

import (
	"context"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Broadcast opens a subscriber that reads every partition of a topic from its start and commits nothing. It calls
// caughtUp once for each subscription, when everything that was in the topic at that time has been acked. Whoever
// opens the subscriber closes it.
type Broadcast func(caughtUp func(topic string)) (message.Subscriber, error)

// Table takes the rows of compacted topics as they are read. Its methods are called by several topics at a time.
type Table interface {
	Put(topic, key string, value []byte)
	Delete(topic, key string)
	// CaughtUp is called once, when everything that was in the topics at the start has been put or deleted.
	CaughtUp()
}

// Follow reads compacted topics into a table until ctx ends, then returns nil. It returns an error if a topic cannot
// be read; the table then misses what comes, and must be filled anew.
func Follow(ctx context.Context, open Broadcast, topics []string, t Table) error {
	caught := make(chan string, len(topics)) // one signal for each topic never blocks
	subscriber, err := open(func(topic string) { caught <- topic })
	if err != nil {
		return fmt.Errorf("open a broadcast subscriber: %w", err)
	}
	var readers sync.WaitGroup
	defer readers.Wait()
	defer func() { _ = subscriber.Close() }() // it has nothing to commit
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan string, len(topics))
	for _, topic := range topics {
		messages, err := subscriber.Subscribe(ctx, topic)
		if err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		readers.Go(func() {
			read(messages, topic, t)
			ended <- topic
		})
	}
	return await(ctx, len(topics), caught, ended, t)
}

// await tells the table when all topics have caught up, and returns when ctx or one of the topics ends.
func await(ctx context.Context, topics int, caught, ended <-chan string, t Table) error {
	for open := topics; ; {
		select {
		case <-caught:
			if open--; open == 0 {
				t.CaughtUp()
			}
		case topic := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read %s: the subscription ended", topic)
		case <-ctx.Done():
			return nil
		}
	}
}

func read(messages <-chan *message.Message, topic string, t Table) {
	for msg := range messages {
		if key := msg.Metadata.Get(MetadataKey); len(msg.Payload) == 0 {
			t.Delete(topic, key)
		} else {
			t.Put(topic, key, msg.Payload)
		}
		msg.Ack()
	}
}
