package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/projections"
)

// catchUpMax bounds the wait for views to come to the end of the ledger.
const catchUpMax = 5 * time.Minute

// visibleWait is how long commands that were recorded last may need to become visible.
const visibleWait = 5 * time.Second

// visibleObserver tells a measurement, too, what a view has committed.
type visibleObserver struct {
	projections.Observer
	visible *ledgerbench.Visible
}

// Applied implements projections.Observer.
func (o visibleObserver) Applied(view string, shard, events int) {
	o.visible.Applied(view, shard, events)
	o.Observer.Applied(view, shard, events)
}

// live measures with a broker, the outbox and the runners of the rebuilt views, as single processes have them.
func (c *benchViewsCmd) live(ctx context.Context, b *bench, results *benchViewsResults) error {
	if c.Rate == 0 && c.Traffic == 0 {
		return nil
	}
	heads, err := b.store.Heads(ctx)
	if err != nil {
		return err
	}
	visible := ledgerbench.NewVisible("balance", heads)
	stop, err := c.startLive(ctx, b, visible)
	if err != nil {
		return err
	}
	// What the rebuilds have left to tidy up and to write to the disk is not what is measured.
	for _, sql := range []string{`VACUUM (ANALYZE)`, `CHECKPOINT`} {
		if _, err := b.pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("tidy up after the rebuilds: %w", err)
		}
	}
	if c.Rate > 0 {
		if results.Visible, err = c.visible(ctx, b, visible); err != nil {
			return err
		}
	}
	if c.Traffic > 0 {
		if results.UnderTraffic, err = c.underTraffic(ctx, b); err != nil {
			return err
		}
	}
	if heads, err = b.store.Heads(ctx); err != nil {
		return err
	}
	if err := b.caughtUp(ctx, heads, only(c.Rebuild)); err != nil {
		return err
	}
	if err := stop(); err != nil || results.UnderTraffic == nil {
		return err
	}
	t := results.UnderTraffic
	if t.Unequal, err = b.compareReplay(ctx); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "rebuild of balance under %d commands/s: %d events in %.1f s, %.0f events/s; %d reads meanwhile, "+
		"slowest %.0f ms, %d went back; %d shards unlike their replay\n", t.Rate, t.Events, t.Seconds,
		float64(t.Events)/t.Seconds, t.Reads, t.SlowMS, t.Backs, t.Unequal)
	return nil
}

// startLive starts the broker, the outbox, and the runners of the views that were rebuilt.
func (c *benchViewsCmd) startLive(
	ctx context.Context, b *bench, visible *ledgerbench.Visible,
) (stop func() error, err error) {
	// A process of its own, as everywhere but in development: its memory is not ours to collect.
	broker, err := b.serve(ctx, "broker")
	if err != nil {
		return nil, err
	}
	b.onClose(func() { _ = broker.stop() })
	if err := b.openKafka(ctx, kafkaSettings{Brokers: []string{broker.addr}}, "bench"); err != nil {
		return nil, err
	}
	if err := kafka.NewAdmin(b.kafka).EnsureTopics(ctx, topics(b.store.Shards(), 1)); err != nil {
		return nil, err
	}
	outbox, err := b.outboxRole(ctx)
	if err != nil {
		return nil, err
	}
	roles := []role{outbox, {"feed", b.feed.Run}}
	for _, view := range only(c.Rebuild) {
		runner, err := projections.New(projections.Config{
			Ledger: b.store, Decoder: b.codec, Pool: b.views, Projection: view, Strict: true, Feed: b.feed,
			Observer: visibleObserver{b.observer, visible}, Log: b.log,
		})
		if err != nil {
			return nil, err
		}
		roles = append(roles, role{"view " + view.Name(), runner.Run})
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runStages(ctx, b.log, roles) }()
	return func() error {
		cancel()
		return <-ended
	}, b.published(ctx)
}

// published waits until the outbox is at the end of the ledger.
func (b *bench) published(ctx context.Context) error {
	limit := time.Now().Add(catchUpMax)
	for shown := time.Now(); ; {
		var left int64
		if err := b.pool.QueryRow(ctx, sqlUnpublished).Scan(&left); err != nil {
			return fmt.Errorf("look at the outbox: %w", err)
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the outbox has %d events left", left)
		}
		if time.Since(shown) > progressEvery {
			shown = time.Now()
			fmt.Fprintf(b.notes, "%d events left to publish\n", left)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyEvery):
		}
	}
}

const sqlUnpublished = `SELECT sum(s.pos - coalesce(c.pos, 0))::bigint
	FROM ledger.shards s LEFT JOIN outbox.checkpoints c USING (shard)`

// visible measures how long commands need to become visible, at a fixed rate.
func (c *benchViewsCmd) visible(
	ctx context.Context, b *bench, visible *ledgerbench.Visible,
) (*ledgerbench.Latency, error) {
	w := ledgerbench.Workload{Clients: c.Clients, Accounts: c.Accounts, Spread: ledgerbench.Uniform, Round: c.Pace}
	ours := ledgerbench.Ours{Ledger: b.parts.ledger, Recorded: visible.Recorded}
	if _, err := w.Pace(ctx, ours, c.Rate); err != nil {
		return nil, err
	}
	limit := time.Now().Add(visibleWait)
	for {
		took, waiting := visible.Result()
		if waiting == 0 {
			took.Target, took.Spread, took.Rate = visible.View, ledgerbench.Uniform, c.Rate
			fmt.Fprintf(b.out, "append to visible in %s at %d commands/s, %d commands: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
				visible.View, c.Rate, took.Reserves, took.P50, took.P99, took.Max)
			return &took, nil
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("%d commands did not become visible", waiting)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(readyEvery):
		}
	}
}
