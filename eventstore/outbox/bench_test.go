package outbox_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/internal/kafkatest"
)

// benchmarkEvents is how many events each shard of the benchmark holds.
const benchmarkEvents = 5000

// countdown is told by an outbox what the broker has acknowledged. A failed try fails the benchmark.
type countdown struct {
	b    *testing.B
	left atomic.Int64
	done chan struct{}
}

func newCountdown(b *testing.B, events int64) *countdown {
	c := &countdown{b: b, done: make(chan struct{})}
	c.left.Store(events)
	return c
}

func (c *countdown) Leads(int, bool)               {}
func (c *countdown) Lag(int, int64, time.Duration) {}
func (c *countdown) Lost(int, int64)               {}

func (c *countdown) Published(_, events int) {
	if c.left.Add(-int64(events)) == 0 {
		close(c.done)
	}
}

func (c *countdown) Failed(_ int, err error) { c.b.Error(err) }

// BenchmarkPublish measures how fast a ledger in memory comes to a broker in this process, over the real protocol.
func BenchmarkPublish(b *testing.B) {
	w := newWorld(b)
	for shard := range shards {
		w.append(b, shard, benchmarkEvents)
	}
	k := newTopic(b, kafkatest.Own(b))
	for b.Loop() {
		b.StopTimer()
		w.checkpoints = [shards]int64{}
		c := newCountdown(b, shards*benchmarkEvents)
		b.StartTimer()
		stop := w.start(b, func(cfg *outbox.Config) { cfg.Publisher, cfg.Tails, cfg.Metrics = k, nil, c })
		select {
		case <-c.done:
		case <-time.After(waitMax):
			b.Error("the ledger was not published in time")
		}
		b.StopTimer()
		stop()
		require.Equal(b, w.versions, w.checkpoints)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*shards*benchmarkEvents)/b.Elapsed().Seconds(), "events/s")
}
