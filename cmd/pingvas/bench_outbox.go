package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/adapters/kfake"
	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/eventstore/outbox"
)

// benchOutboxCmd is `pingvas bench outbox`.
type benchOutboxCmd struct {
	kafkaSettings
	Events   int64 `default:"400000" help:"Events of the ledger."`
	Accounts int   `default:"1000" help:"Number of accounts."`
	Rounds   int   `default:"3" help:"How often all of them are published; the median counts."`
	benchOutput
}

// Run implements the command.
func (c *benchOutboxCmd) Run(ctx context.Context, log *slog.Logger) error {
	if len(c.Brokers) > 0 {
		if err := check(c.kafkaSettings.errors()); err != nil {
			return err
		}
	}
	return c.run(ctx, log, "bench outbox", c.measure)
}

// outboxResult is the measurement of one broker.
type outboxResult struct {
	Broker string    `json:"broker"`
	Events int64     `json:"events"`
	Rates  []float64 `json:"events_per_second"`
}

// outboxRoundMax bounds one round.
const outboxRoundMax = 10 * time.Minute

func (c *benchOutboxCmd) measure(ctx context.Context, b *bench) (any, error) {
	history := ledgerbench.History{
		Store: b.store, Codec: b.codec, Accounts: c.Accounts, Events: c.Events, Progress: b.notes,
	}
	if err := history.Write(ctx); err != nil {
		return nil, err
	}
	result := outboxResult{Broker: "given"}
	if len(c.Brokers) == 0 {
		result.Broker = "embedded"
		broker, err := kfake.New(kfake.Config{Logger: b.log})
		if err != nil {
			return nil, err
		}
		defer broker.Close()
		c.Brokers = []string{broker.Addr()}
	}
	if err := b.connectKafka(ctx, c.kafkaSettings, "bench"); err != nil {
		return nil, err
	}
	for round := range c.Rounds {
		events, rate, err := c.round(ctx, b, fmt.Sprintf("pingvas.bench.%d.%d", time.Now().UnixNano(), round))
		if err != nil {
			return nil, err
		}
		result.Events, result.Rates = events, append(result.Rates, rate)
		fmt.Fprintf(b.notes, "round %d: %.0f events/s\n", round+1, rate)
	}
	fmt.Fprintf(b.out, "%s broker: %d events published, %.0f events/s\n",
		result.Broker, result.Events, ledgerbench.Median(result.Rates))
	return result, nil
}

// round publishes the whole ledger to a topic of its own.
func (c *benchOutboxCmd) round(ctx context.Context, b *bench, topic string) (events int64, rate float64, err error) {
	admin := kafka.NewAdmin(b.kafka)
	spec := kafka.TopicSpec{Name: topic, Partitions: b.store.Shards(), Replicas: c.Replicas, Retention: time.Hour}
	if err := admin.EnsureTopics(ctx, []kafka.TopicSpec{spec}); err != nil {
		return 0, 0, err
	}
	defer func() { _ = admin.DeleteTopics(context.WithoutCancel(ctx), topic) }()
	heads, err := b.store.Heads(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, h := range heads {
		events += h.Pos
	}
	published := &publishedCount{left: events, done: make(chan struct{})}
	checkpoints, err := freshCheckpoints(ctx, b)
	if err != nil {
		return 0, 0, err
	}
	ordered, err := kafka.NewOrderedPublisher(b.kafka, kafka.PublisherConfig{})
	if err != nil {
		return 0, 0, err
	}
	o, err := outbox.New(outbox.Config{
		Ledger: b.store, Publisher: renamed{ledgerPublisher{ordered}, topic}, Checkpoints: checkpoints,
		Leadership: checkpoints, Metrics: published, Log: b.log,
	})
	if err != nil {
		return 0, 0, err
	}
	took, err := published.time(ctx, o)
	return events, float64(events) / took.Seconds(), err
}

// freshCheckpoints forgets what was published.
func freshCheckpoints(ctx context.Context, b *bench) (*outbox.Postgres, error) {
	checkpoints := outbox.NewPostgres(b.pool)
	if err := checkpoints.Setup(ctx); err != nil {
		return nil, err
	}
	for shard := range b.store.Shards() {
		at, err := checkpoints.Load(ctx, shard)
		if err != nil {
			return nil, err
		}
		if err := checkpoints.Move(ctx, shard, at, 0); at > 0 && err != nil {
			return nil, err
		}
	}
	return checkpoints, nil
}

// renamed publishes to another topic, so that a measurement on given brokers touches nobody's topics.
type renamed struct {
	to    outbox.Publisher
	topic string
}

// Publish implements outbox.Publisher.
func (r renamed) Publish(ctx context.Context, _ string, partition int, records []outbox.Record) (int64, error) {
	return r.to.Publish(ctx, r.topic, partition, records)
}

// publishedCount counts down what the broker has acknowledged. It implements outbox.Metrics.
type publishedCount struct {
	left   int64
	done   chan struct{}
	failed atomic.Pointer[error]
}

// Leads implements outbox.Metrics.
func (p *publishedCount) Leads(int, bool) {}

// Lost implements outbox.Metrics.
func (p *publishedCount) Lost(int, int64) {}

// Lag implements outbox.Metrics.
func (p *publishedCount) Lag(int, int64, time.Duration) {}

// Published implements outbox.Metrics.
func (p *publishedCount) Published(_, events int) {
	if atomic.AddInt64(&p.left, -int64(events)) == 0 {
		close(p.done)
	}
}

// Failed implements outbox.Metrics.
func (p *publishedCount) Failed(_ int, err error) { p.failed.CompareAndSwap(nil, &err) }

// time runs the outbox until everything is published. A failed try spoils the measurement.
func (p *publishedCount) time(ctx context.Context, o *outbox.Outbox) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, outboxRoundMax)
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- o.Run(ctx) }()
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	took, late := time.Since(start), ctx.Err()
	cancel()
	if err := <-ended; err != nil {
		return 0, err
	}
	if failed := p.failed.Load(); failed != nil {
		return 0, *failed
	}
	return took, late
}
