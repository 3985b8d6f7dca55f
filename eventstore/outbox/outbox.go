package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// How the ledger is watched and published.
const (
	// pollMin is the time between two looks at the heads while events come, pollMax while none do: the first event after
	// a rest waits for so long. A look costs the database about 0.1 ms.
	pollMin = 20 * time.Millisecond
	pollMax = 50 * time.Millisecond
	// batchEvents bounds what is read and published at once.
	batchEvents = 500
	// recheckEvery is how often a shard looks whether its checkpoint was moved, and its partition has lost events.
	recheckEvery = 5 * time.Second
	retryFirst   = 100 * time.Millisecond
	retryMax     = 10 * time.Second
)

// Config is what an Outbox needs.
type Config struct {
	Ledger      Ledger
	Publisher   Publisher
	Checkpoints Checkpoints
	Leadership  Leadership
	// Tails finds out whether the topic was lost while nothing was published; nil means that it cannot.
	Tails Tails
	// Groups is the number of groups that the shards are divided into, each with a leader of its own; 0 means 1. All
	// outboxes must have the same.
	Groups int
	// Metrics may be nil.
	Metrics Metrics
	// Log is required.
	Log *slog.Logger
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Ledger == nil || c.Publisher == nil || c.Checkpoints == nil || c.Leadership == nil {
		errs = append(errs, errors.New("outbox: a ledger, a publisher, checkpoints and leadership are required"))
	}
	if c.Groups < 0 || (c.Ledger != nil && c.Groups > c.Ledger.Shards()) {
		errs = append(errs, fmt.Errorf("outbox: %d groups of shards", c.Groups))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("outbox: no logger"))
	}
	return errors.Join(errs...)
}

// Outbox publishes the ledger.
type Outbox struct{ cfg Config }

// New returns an outbox that has not started.
func New(c Config) (*Outbox, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Groups == 0 {
		c.Groups = 1
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	return &Outbox{cfg: c}, nil
}

// Run publishes what is appended, as the leader of the groups that it gets, until ctx ends; then it returns nil.
func (o *Outbox) Run(ctx context.Context) error {
	var groups sync.WaitGroup
	defer groups.Wait()
	for group := range o.cfg.Groups {
		groups.Go(func() { o.runGroup(ctx, group) })
	}
	return nil
}

// runGroup leads the group again and again.
func (o *Outbox) runGroup(ctx context.Context, group int) {
	log := o.cfg.Log.With(slog.Int("group", group))
	for wait := retryFirst; ; wait = min(2*wait, retryMax) {
		err := o.cfg.Leadership.Lead(ctx, group, func(leading context.Context) error {
			log.Info("the outbox leads")
			wait = retryFirst
			o.lead(leading, group)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		log.Warn("the outbox does not lead any more", slog.Duration("retry_in", wait), slog.Any("error", err))
		if !pause(ctx, wait) {
			return
		}
	}
}

// lead publishes the shards of the group until ctx ends.
func (o *Outbox) lead(ctx context.Context, group int) {
	var shards []*shard
	var loops sync.WaitGroup
	for id := group; id < o.cfg.Ledger.Shards(); id += o.cfg.Groups {
		s := &shard{Config: o.cfg, id: id, heads: make(chan int64, 1), log: o.cfg.Log.With(slog.Int("shard", id))}
		shards = append(shards, s)
		s.Metrics.Leads(id, true)
		loops.Go(func() { s.run(ctx) })
	}
	o.watch(ctx, shards)
	loops.Wait()
	for _, s := range shards {
		s.Metrics.Leads(s.id, false)
	}
}

// watch tells the shards where their heads are, and the metrics how far behind they are.
func (o *Outbox) watch(ctx context.Context, shards []*shard) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last, wait := make([]int64, len(shards)), pollMin
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		heads, err := o.cfg.Ledger.Heads(ctx)
		wait = min(2*wait, pollMax)
		if err != nil && ctx.Err() == nil {
			o.cfg.Log.Error("the heads of the ledger cannot be read", slog.Any("error", err))
		}
		for i, s := range shards {
			if err == nil && heads[s.id].Pos != last[i] {
				last[i], wait = heads[s.id].Pos, pollMin
				s.tell(last[i])
			}
			s.behind.report(s.Metrics, s.id)
		}
		timer.Reset(wait)
	}
}

// pause waits and reports whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
