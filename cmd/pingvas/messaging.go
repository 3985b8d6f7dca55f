package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
)

// ledgerPublisher lets the outbox write to Kafka.
type ledgerPublisher struct{ ordered *kafka.OrderedPublisher }

// Publish implements outbox.Publisher.
func (p ledgerPublisher) Publish(
	ctx context.Context, topic string, partition int, records []outbox.Record,
) (last int64, err error) {
	batch := make([]kafka.Record, len(records))
	for i, r := range records {
		batch[i] = kafka.Record{Key: []byte(r.Key), Value: r.Value}
		for name, value := range r.Headers {
			batch[i].Headers = append(batch[i].Headers, kafka.Header{Key: name, Value: []byte(value)})
		}
	}
	return p.ordered.PublishBatch(ctx, topic, partition, batch)
}

// broadcast opens subscribers that read topics from their start.
func (p *parts) broadcast(caughtUp func(topic string)) (message.Subscriber, error) {
	return kafka.NewSubscriber(p.kafka, kafka.SubscriberConfig{
		Start: kafka.FirstOffset, OnCaughtUp: caughtUp, OnOffsetLost: p.observer.offsetLost,
	})
}

// member opens a subscriber that shares topics with the others of its group.
func (p *parts) member(group string) (*kafka.Subscriber, error) {
	return kafka.NewSubscriber(p.kafka, kafka.SubscriberConfig{Group: group, OnOffsetLost: p.observer.offsetLost})
}

// feedHub tells the API's streams what happens: progress from its topic, changes from the feed of events.
func (p *parts) feedHub(hub *api.Hub) []role {
	progress := func(ctx context.Context) error {
		reader, err := kafka.NewPartitionReader(p.kafka, kafka.ReaderConfig{})
		if err != nil {
			return err
		}
		newest := func(int) int64 { return kafka.LastOffset }
		for ctx.Err() == nil {
			err := reader.ReadPartitions(ctx, generation.TopicProgress, newest,
				func(_ context.Context, _ int, records []kafka.Record) error { return passProgress(hub, records) })
			if err != nil {
				p.log.WarnContext(ctx, "the topic of progress is read again", "error", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(feedRetry):
			}
		}
		return nil
	}
	changes := func(ctx context.Context) error {
		keeper, err := newPaceKeeper(p.pace)
		if err != nil {
			return err
		}
		return p.feed.Follow(ctx, func(_ context.Context, batch []eventstore.Envelope) error {
			for _, e := range batch {
				keeper.see(e)
				if id, ok := generationOf(e.Stream); ok {
					hub.Changed(id)
				}
			}
			return nil
		})
	}
	return []role{{"progress", progress}, {"changes", changes}}
}

// passProgress drops frames that cannot be read: the next one is complete again.
func passProgress(hub *api.Hub, records []kafka.Record) error {
	for _, r := range records {
		var frame generation.Progress
		if json.Unmarshal(r.Value, &frame) == nil {
			hub.Progress(frame)
		}
	}
	return nil
}

func generationOf(stream string) (domain.GenerationID, bool) {
	prefix := eventstore.GenerationStream("")
	if len(stream) <= len(prefix) || stream[:len(prefix)] != prefix {
		return "", false
	}
	return domain.GenerationID(stream[len(prefix):]), true
}
