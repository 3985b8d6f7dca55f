package queries

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// read waits until the views know r.Min, then runs do on one snapshot of them, in which there is nothing but the rows of
// the account.
func (s *Service) read(
	ctx context.Context, r Read, of []projections.Progress, do func(projections.Snapshot) error,
) (As, error) {
	return s.ask(ctx, r, projections.Asking{Of: of}, do)
}

// list is read for a page of a long list.
func (s *Service) list(
	ctx context.Context, r Read, of []projections.Progress, do func(projections.Snapshot) error,
) (As, error) {
	return s.ask(ctx, r, projections.Asking{Of: of, List: true}, do)
}

func (s *Service) ask(
	ctx context.Context, r Read, a projections.Asking, do func(projections.Snapshot) error,
) (As, error) {
	if err := s.wait(ctx, r, a.Of); err != nil {
		return As{}, err
	}
	a.Account, a.Shard = r.Account, s.shard(r)
	as := As{Position: eventstore.Position{Shard: a.Shard}}
	err := projections.ReadAccount(ctx, s.cfg.Pool, a, func(v projections.Snapshot) error {
		as.Position.Pos = slices.Min(v.Positions)
		return do(v)
	})
	as.Stale = as.Position.Pos < r.Min.Pos
	return as, err
}

func (s *Service) shard(r Read) int { return eventstore.ShardOf(r.Account, s.cfg.Ledger.Shards()) }

// wait returns when all views know r.Min, or WaitMax has passed, or at once if the ledger does not go as far: no view
// will know it soon.
func (s *Service) wait(ctx context.Context, r Read, of []projections.Progress) error {
	if r.Min.IsZero() {
		return nil
	}
	if r.Min.Shard != s.shard(r) {
		return domain.FieldErrorf("min_position", "the position is not one of this account's")
	}
	start := time.Now()
	checked, stale := false, false
	for _, view := range of {
		at, err := view.Position(ctx, s.cfg.Pool, r.Min.Shard)
		if err != nil {
			return err
		}
		if at.Pos >= r.Min.Pos {
			continue
		}
		if !checked {
			heads, err := s.cfg.Ledger.Heads(ctx)
			if err != nil {
				return err
			}
			if heads[r.Min.Shard].Pos < r.Min.Pos {
				s.cfg.Observer.Waited(time.Since(start), true)
				return nil
			}
			checked = true
		}
		reached, err := view.WaitFor(ctx, s.cfg.Pool, r.Min, WaitMax-time.Since(start))
		if err != nil {
			return err
		}
		stale = stale || !reached
	}
	s.cfg.Observer.Waited(time.Since(start), stale)
	return nil
}

// one is read for a single thing: before it says CodeNotFound it gives the views the time to come to the end of the
// record, so that a client finds what it has just made.
func (s *Service) one(
	ctx context.Context, r Read, of []projections.Progress, do func(projections.Snapshot) error,
) (As, error) {
	return s.insist(ctx, of, func() (As, error) { return s.read(ctx, r, of, do) })
}

// once is one for a single question, which takes one round trip.
func (s *Service) once(
	ctx context.Context, r Read, of []projections.Progress, q projections.Question, scan func(pgx.Rows) error,
) (As, error) {
	return s.insist(ctx, of, func() (As, error) {
		if err := s.wait(ctx, r, of); err != nil {
			return As{}, err
		}
		as := As{Position: eventstore.Position{Shard: s.shard(r)}}
		a := projections.Asking{Account: r.Account, Shard: as.Position.Shard, Of: of}
		positions, err := projections.ReadOnce(ctx, s.cfg.Pool, a, q, scan)
		if len(positions) > 0 {
			as.Position.Pos = slices.Min(positions)
		}
		as.Stale = as.Position.Pos < r.Min.Pos
		return as, err
	})
}

// insist asks again when what was not found may only not be known yet.
func (s *Service) insist(ctx context.Context, of []projections.Progress, ask func() (As, error)) (As, error) {
	as, err := ask()
	if domain.CodeOf(err) != domain.CodeNotFound {
		return as, err
	}
	heads, errHeads := s.cfg.Ledger.Heads(ctx)
	if errHeads != nil {
		return as, errHeads
	}
	end := eventstore.Position{Shard: as.Position.Shard, Pos: heads[as.Position.Shard].Pos}
	if as.Position.Pos >= end.Pos {
		return as, err
	}
	deadline := time.Now().Add(missingWaitMax)
	for _, view := range of {
		if _, err := view.WaitFor(ctx, s.cfg.Pool, end, time.Until(deadline)); err != nil {
			return as, err
		}
	}
	return ask()
}

// found turns the absence of a row into CodeNotFound.
func found(err error, missing string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.Errorf(domain.CodeNotFound, "%s", missing)
	}
	return err
}

// size returns the number of things on the page.
func (p Page) size() (int, error) {
	if p.Limit == 0 {
		return LimitDefault, nil
	}
	if p.Limit < 1 || p.Limit > LimitMax {
		return 0, domain.FieldErrorf("limit", "must be between 1 and %d, not %d", LimitMax, p.Limit)
	}
	return p.Limit, nil
}

// endOfTime is where a list that has the newest first begins. A bound in every page lets Postgres begin there in the
// index instead of passing over what was on the pages before.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// orZero returns the time in UTC, zero for nil.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
