package search

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

const (
	// behindMax is how far behind the ledger an index may be when it begins to answer.
	behindMax = 2 * time.Second
	// swapPoll is how often an index that is built is looked at, and idlePoll one that answers.
	swapPoll = 100 * time.Millisecond
	idlePoll = time.Second
)

// Heads tells how far the record goes.
type Heads interface {
	Heads(ctx context.Context) ([]eventstore.Head, error)
}

// Swapper lets an index answer as soon as its runner has caught up. Any number may run beside each other.
type Swapper struct {
	Engine Engine
	Pool   *pgxpool.Pool
	Ledger Heads
	Log    *slog.Logger // nil discards

	answers string // ID of the index that is known to answer
	heads   []eventstore.Head
	seen    time.Time // when the heads were those
	failing bool
}

// Run does so until ctx ends, then returns nil.
func (s *Swapper) Run(ctx context.Context) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	for {
		wait := idlePoll
		answers, err := s.look(ctx)
		if err == nil && !answers {
			wait = swapPoll
		}
		s.report(ctx, err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// report logs the first of several failures alone.
func (s *Swapper) report(ctx context.Context, err error) {
	if err != nil && !s.failing && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "a search index that is built cannot be looked at", slog.Any("error", err))
	}
	s.failing = err != nil
}

// look swaps if it is time and reports whether what is written to answers.
func (s *Swapper) look(ctx context.Context) (answers bool, err error) {
	id, err := s.Engine.ID(ctx)
	if err != nil || id == s.answers {
		return err == nil, err
	}
	positions, err := projections.Filled(ctx, s.Pool, New(s.Engine), id)
	if err != nil || len(positions) == 0 {
		return false, err
	}
	caughtUp, err := s.caughtUp(ctx, positions)
	if err != nil || !caughtUp {
		return false, err
	}
	if err := s.Engine.Swap(ctx, id); err != nil {
		return false, err
	}
	s.answers, s.heads = id, nil
	s.Log.InfoContext(ctx, "the search index answers", slog.String("index", id))
	return true, nil
}

// caughtUp reports whether the positions are beyond what the record was a moment ago. Under traffic they are never at
// what it is now.
func (s *Swapper) caughtUp(ctx context.Context, positions map[int]int64) (bool, error) {
	if s.heads == nil {
		at := time.Now()
		heads, err := s.Ledger.Heads(ctx)
		if err != nil {
			return false, err
		}
		s.heads, s.seen = heads, at
		return len(heads) == 0, nil // look again: the positions are older than the heads
	}
	for shard, head := range s.heads {
		if positions[shard] < head.Pos {
			return false, nil
		}
	}
	if time.Since(s.seen) > behindMax {
		s.heads = nil
		return false, nil
	}
	return true, nil
}
