package kafka

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// runBroadcast reads every partition without a group until the context ends.
func (s *Subscriber) runBroadcast(
	ctx context.Context, topic string, found map[int]bounds, out chan<- *message.Message,
) {
	var readers sync.WaitGroup
	defer readers.Wait()
	progress := s.newCatchUp(topic, len(found))
	for partition, has := range found {
		start := has.resolve(s.cfg.Start)
		reached := progress.partition(has.end)
		reached(start)
		f := &follower{
			cluster: s.cluster, topic: topic, partition: partition, next: start,
			maxBytes: fetchBytesSingle, onLost: s.reportLoss,
			handle: s.oneByOne(delivery{sub: s, out: out}, func(next int64) { reached(next) }),
		}
		// With reportLoss and oneByOne the run has no end but that of the context.
		readers.Go(func() { _ = f.run(ctx) })
	}
}

// oneByOne delivers records one after the other and calls done with the offset after each one that is finished.
func (s *Subscriber) oneByOne(
	d delivery, done func(next int64),
) func(context.Context, []Record, int64) error {
	return func(ctx context.Context, records []Record, next int64) error {
		for _, record := range records {
			if err := d.deliver(ctx, record); err != nil {
				return err
			}
			done(record.Offset + 1)
		}
		done(next)
		return nil
	}
}

// catchUp notices when all partitions have passed the ends that they had at the start.
type catchUp struct {
	open   atomic.Int64
	report func()
}

func (s *Subscriber) newCatchUp(topic string, partitions int) *catchUp {
	c := &catchUp{report: func() {
		if s.cfg.OnCaughtUp != nil {
			s.cfg.OnCaughtUp(topic)
		}
	}}
	c.open.Store(int64(partitions))
	return c
}

// partition returns the function that is told how far one partition has come. One goroutine at a time may call it.
func (c *catchUp) partition(end int64) func(next int64) {
	passed := false
	return func(next int64) {
		if passed || next < end {
			return
		}
		passed = true
		if c.open.Add(-1) == 0 {
			c.report()
		}
	}
}
