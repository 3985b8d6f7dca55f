package projections

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
)

// The interval between tries of a shard that fails, doubled each time.
const (
	retryFirst = 100 * time.Millisecond
	retryMax   = 30 * time.Second
)

// Runner keeps one view up to date.
type Runner struct {
	cfg    Config
	pinned *Copy // nil follows the copy that is current
	shards []*shard
	slots  chan struct{} // held while a shard catches up
}

// shard is where a view stands in one shard.
type shard struct {
	id     int
	wake   chan struct{} // capacity 1: there may be something to apply
	pos    atomic.Int64  // written under mu
	mu     sync.Mutex    // held while events are applied
	copy   Copy          // under mu
	build  atomic.Int64  // of the copy
	behind atomic.Bool   // the ledger has to be looked at

	inboxMu sync.Mutex
	inbox   []eventstore.Envelope // from the feed, under inboxMu
}

// inboxMax is how many events of the feed a shard keeps while it is busy. What is more comes from the ledger.
const inboxMax = 10_000

func (s *shard) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// look makes the shard read the ledger.
func (s *shard) look() {
	s.behind.Store(true)
	s.notify()
}

// offer keeps events of the feed for the shard.
func (s *shard) offer(batch []eventstore.Envelope) {
	s.inboxMu.Lock()
	if len(s.inbox)+len(batch) > inboxMax {
		s.inbox = nil
		s.behind.Store(true)
	} else {
		s.inbox = append(s.inbox, batch...)
	}
	s.inboxMu.Unlock()
	s.notify()
}

// take returns the events of the feed that are new and follow the position without a gap. The caller holds mu.
func (s *shard) take() []eventstore.Envelope {
	s.inboxMu.Lock()
	all := s.inbox
	s.inbox = nil
	s.inboxMu.Unlock()
	at, kept := s.pos.Load(), all[:0]
	for _, e := range all {
		if e.Pos <= at {
			continue // known
		}
		if e.Pos != at+1 || e.Shard != s.id {
			s.behind.Store(true)
			break
		}
		kept, at = append(kept, e), e.Pos
	}
	return kept
}

// New returns a runner. It does not connect.
func New(cfg Config) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg.withDefaults()}
	r.slots = make(chan struct{}, r.cfg.Parallel)
	for i := range cfg.Ledger.Shards() {
		r.shards = append(r.shards, &shard{id: i, wake: make(chan struct{}, 1)})
	}
	return r, nil
}

// Run keeps the view up to date until ctx ends, then returns nil. It writes to the live copy of the view's version, or,
// before there is any, builds the first one and makes it live when it has caught up. It returns an error if the view
// cannot be set up: no database, or a schema that was changed without a new version.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start the projection %s: %w", r.cfg.Projection.Name(), err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range r.shards {
		s.look()
		group.Go(func() error { r.tail(ctx, s); return nil })
	}
	group.Go(func() error { r.poll(ctx); return nil })
	if r.pinned == nil {
		group.Go(func() error { r.keep(ctx); return nil })
		group.Go(func() error { r.goLive(ctx); return nil })
	}
	if r.cfg.Feed != nil {
		group.Go(func() error { return r.follow(ctx) })
	}
	return group.Wait()
}

// follow returns nil when ctx ends. A feed that ends before is started again, since polling carries on meanwhile.
func (r *Runner) follow(ctx context.Context) error {
	for wait := retryFirst; ; wait = min(2*wait, retryMax) {
		err := r.cfg.Feed.Follow(ctx, r.handle)
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Log.WarnContext(ctx, "the feed of a projection ended; polling goes on",
			slog.String("projection", r.cfg.Projection.Name()), slog.Any("error", err))
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// handle leaves the events to the shard's own loop, so that shards do not wait for each other.
func (r *Runner) handle(ctx context.Context, batch []eventstore.Envelope) error {
	if len(batch) > 0 && batch[0].Shard >= 0 && batch[0].Shard < len(r.shards) {
		r.shards[batch[0].Shard].offer(batch)
	}
	return ctx.Err()
}

// poll wakes the shards that are behind.
func (r *Runner) poll(ctx context.Context) {
	for pause(ctx, r.cfg.Poll) {
		heads, err := r.cfg.Ledger.Heads(ctx)
		if err != nil {
			r.cfg.Log.WarnContext(ctx, "a projection cannot read the heads of the ledger",
				slog.String("projection", r.cfg.Projection.Name()), slog.Any("error", err))
			continue
		}
		for i, s := range r.shards {
			lag := heads[i].Pos - s.pos.Load()
			r.cfg.Observer.Lag(r.cfg.Projection.Name(), i, max(0, lag))
			if lag > 0 {
				s.look()
			}
		}
	}
}

// tail catches a shard up whenever it is woken.
func (r *Runner) tail(ctx context.Context, s *shard) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for wait, more := retryFirst, true; more; {
			var err error
			if more, err = r.page(ctx, s); err == nil {
				wait = retryFirst
				continue
			}
			if ctx.Err() != nil {
				return
			}
			s.behind.Store(true)
			r.failed(ctx, s, err)
			if more = pause(ctx, wait); !more {
				return
			}
			wait = min(2*wait, retryMax)
		}
	}
}

// page applies what the feed has brought, or the next page of the ledger if that has to be looked at, and reports
// whether there may be more.
func (r *Runner) page(ctx context.Context, s *shard) (more bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case r.slots <- struct{}{}:
	}
	defer func() { <-r.slots }()
	s.mu.Lock()
	defer s.mu.Unlock()
	if batch := s.take(); len(batch) > 0 {
		err := r.apply(ctx, s, batch)
		return s.behind.Load(), err
	}
	if !s.behind.Swap(false) {
		return false, nil
	}
	batch, err := r.cfg.Ledger.ReadShard(ctx, s.id, s.pos.Load(), r.cfg.Page)
	if err != nil || len(batch) == 0 {
		return false, err
	}
	if len(batch) == r.cfg.Page {
		s.behind.Store(true)
	}
	err = r.apply(ctx, s, batch)
	return s.behind.Load(), err
}

// pause waits and returns false if ctx ends first. The wait varies by a quarter, so that failing shards spread out.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d - d/8 + rand.N(d/4+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
