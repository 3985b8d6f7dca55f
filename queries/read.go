package queries

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// read waits until the views know r.Min, then runs do on one snapshot of them. positions are how far the views know
// the shard in that snapshot, in the order of the views.
func (s *Service) read(
	ctx context.Context, r Read, of []projections.Progress, do func(tx pgx.Tx, positions []int64) error,
) (As, error) {
	if err := s.wait(ctx, r, of); err != nil {
		return As{}, err
	}
	as := As{Position: eventstore.Position{Shard: s.shard(r)}}
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, func(tx pgx.Tx) error {
		positions := make([]int64, len(of))
		for i, view := range of {
			at, err := view.Position(ctx, tx, as.Position.Shard)
			if err != nil {
				return err
			}
			positions[i] = at.Pos
			if i == 0 || at.Pos < as.Position.Pos {
				as.Position.Pos = at.Pos
			}
		}
		return do(tx, positions)
	})
	as.Stale = as.Position.Pos < r.Min.Pos
	return as, err
}

func (s *Service) shard(r Read) int { return eventstore.ShardOf(r.Account, s.cfg.Ledger.Shards()) }

// wait returns when all views know r.Min, or WaitMax has passed.
func (s *Service) wait(ctx context.Context, r Read, of []projections.Progress) error {
	if r.Min.IsZero() {
		return nil
	}
	if r.Min.Shard != s.shard(r) {
		return domain.FieldErrorf("min_position", "the position is not one of this account's")
	}
	deadline := time.Now().Add(WaitMax)
	for _, view := range of {
		if _, err := view.WaitFor(ctx, s.cfg.Pool, r.Min, time.Until(deadline)); err != nil {
			return err
		}
	}
	return nil
}

// one is read for a single thing: before it says CodeNotFound it gives the views the time to come to the end of the
// record, so that a client finds what it has just made.
func (s *Service) one(
	ctx context.Context, r Read, of []projections.Progress, do func(tx pgx.Tx, positions []int64) error,
) (As, error) {
	as, err := s.read(ctx, r, of, do)
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
	return s.read(ctx, r, of, do)
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

// orZero returns the time in UTC, zero for nil.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
