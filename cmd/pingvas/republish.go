package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
)

// republishCmd is `pingvas republish`.
type republishCmd struct {
	ledgerSettings
	kafkaSettings
	From []string `placeholder:"SHARD:POS" help:"First event to publish again, once for each shard that is meant, e.g. --from 3:1 --from 7:120000."`
	To   []string `placeholder:"SHARD:POS" help:"Last event to publish again, for shards that have --from; without it, the last one that was published."`
	All  bool     `help:"Publish everything again, of every shard."`
}

// Run implements the command.
func (c *republishCmd) Run(ctx context.Context, log *slog.Logger) error {
	if err := check(c.ledgerSettings.errors(), c.kafkaSettings.errors(), c.errors()); err != nil {
		return err
	}
	p := newParts(log)
	defer p.close()
	if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
		return err
	}
	if err := p.openKafka(ctx, c.kafkaSettings, "republish"); err != nil {
		return err
	}
	return c.republish(ctx, p, os.Stdout)
}

func (c *republishCmd) errors() []error {
	if c.All == (len(c.From) > 0) {
		return []error{errors.New("give either --all or --from")}
	}
	_, err := c.ends()
	if err != nil {
		return []error{err}
	}
	return nil
}

// ends returns the wanted ranges by shard; To is 0 where it is not given.
func (c *republishCmd) ends() (map[int]outbox.Range, error) {
	ranges := map[int]outbox.Range{}
	for _, text := range c.From {
		at, err := eventstore.ParsePosition(text)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		if _, twice := ranges[at.Shard]; twice {
			return nil, fmt.Errorf("--from %s: shard %d has one already", text, at.Shard)
		}
		ranges[at.Shard] = outbox.Range{Shard: at.Shard, From: at.Pos}
	}
	for _, text := range c.To {
		at, err := eventstore.ParsePosition(text)
		if err != nil {
			return nil, fmt.Errorf("--to: %w", err)
		}
		r, ok := ranges[at.Shard]
		if !ok || at.Pos < r.From {
			return nil, fmt.Errorf("--to %s: shard %d has no --from before it", text, at.Shard)
		}
		r.To = at.Pos
		ranges[at.Shard] = r
	}
	return ranges, nil
}

func (c *republishCmd) republish(ctx context.Context, p *parts, out io.Writer) error {
	ordered, err := kafka.NewOrderedPublisher(p.kafka, kafka.PublisherConfig{})
	if err != nil {
		return err
	}
	checkpoints := outbox.NewPostgres(p.pool)
	if err := checkpoints.Setup(ctx); err != nil {
		return err
	}
	tool := outbox.Republisher{Ledger: p.store, Publisher: ledgerPublisher{ordered}, Checkpoints: checkpoints}
	ranges, total, err := c.ranges(ctx, tool)
	if err != nil {
		return err
	}
	progress := newRepublished(out, ranges, total)
	tool.Progress = progress.note
	if err := tool.Run(ctx, ranges); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d events were published again in %s\n", total, time.Since(progress.started).Round(time.Millisecond))
	return nil
}

// ranges completes what was asked for by what was published.
func (c *republishCmd) ranges(
	ctx context.Context, tool outbox.Republisher,
) (ranges []outbox.Range, total int64, err error) {
	wanted, err := c.ends()
	if err != nil {
		return nil, 0, err
	}
	for shard := range tool.Ledger.Shards() {
		all, err := tool.Published(ctx, shard)
		if err != nil {
			return nil, 0, err
		}
		r, is := wanted[shard]
		delete(wanted, shard)
		switch {
		case c.All:
			r = all
		case !is:
			continue
		case r.To == 0:
			r.To = all.To
		}
		if r.To >= r.From {
			total += r.To - r.From + 1
		}
		ranges = append(ranges, r)
	}
	for shard := range wanted {
		return nil, 0, fmt.Errorf("there is no shard %d", shard)
	}
	return ranges, total, nil
}

// republished says now and then how far a republication is.
type republished struct {
	out     io.Writer
	total   int64
	started time.Time

	mu   sync.Mutex
	left map[int]int64
	said time.Time
}

func newRepublished(out io.Writer, ranges []outbox.Range, total int64) *republished {
	now := time.Now()
	r := &republished{out: out, total: total, started: now, said: now, left: map[int]int64{}}
	for _, part := range ranges {
		r.left[part.Shard] = part.To - part.From + 1
	}
	return r
}

func (r *republished) note(part outbox.Range) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[part.Shard] = part.To - part.From + 1
	if time.Since(r.said) < progressEvery {
		return
	}
	r.said = time.Now()
	done := r.total
	for _, left := range r.left {
		done -= left
	}
	fmt.Fprintf(r.out, "%d of %d events, %.0f events/s\n", done, r.total, float64(done)/time.Since(r.started).Seconds())
}
