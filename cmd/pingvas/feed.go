package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	// feedBacklog is how many batches a slow follower may be behind before it misses some. Followers fill gaps from
	// the ledger.
	feedBacklog = 64
	// feedRetry is the pause before the topic is read again after an error.
	feedRetry = time.Second
)

// feed reads the ledger's topic once for all followers in this process.
type feed struct {
	reader *kafka.PartitionReader
	log    *slog.Logger

	mu        sync.Mutex
	followers map[chan []eventstore.Envelope]struct{}
}

func newFeed(cluster *kafka.Cluster, log *slog.Logger) (*feed, error) {
	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	if err != nil {
		return nil, err
	}
	return &feed{reader: reader, log: log, followers: map[chan []eventstore.Envelope]struct{}{}}, nil
}

// Run reads the newest events until ctx ends. What was published before is not its business.
func (f *feed) Run(ctx context.Context) error {
	newest := func(int) int64 { return kafka.LastOffset }
	for ctx.Err() == nil {
		if err := f.reader.ReadPartitions(ctx, eventstore.Topic, newest, f.deliver); err != nil {
			f.log.WarnContext(ctx, "the feed of events is read again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(feedRetry):
		}
	}
	return nil
}

// deliver never waits for a follower.
func (f *feed) deliver(ctx context.Context, partition int, records []kafka.Record) error {
	batch := make([]eventstore.Envelope, 0, len(records))
	for _, r := range records {
		e, err := eventstore.FromWire(header(r), r.Value)
		if err != nil {
			return fmt.Errorf("read offset %d of partition %d: %w", r.Offset, partition, err)
		}
		batch = append(batch, e)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for follower := range f.followers {
		select {
		case follower <- batch:
		default:
			f.log.DebugContext(ctx, "a follower of the feed is slow and misses events")
		}
	}
	return nil
}

func header(r kafka.Record) func(string) string {
	return func(name string) string {
		for _, h := range r.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
}

// Follow calls handle with events of one shard at a time, in order, gaps allowed, until ctx ends.
func (f *feed) Follow(ctx context.Context, handle func(context.Context, []eventstore.Envelope) error) error {
	batches := make(chan []eventstore.Envelope, feedBacklog)
	f.mu.Lock()
	f.followers[batches] = struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.followers, batches)
		f.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch := <-batches:
			if err := handle(ctx, batch); err != nil {
				return err
			}
		}
	}
}
