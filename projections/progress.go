package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

// The interval between two looks of a waiting reader at the checkpoint, for runners in other processes. It doubles, so
// that many who wait in vain cost little.
const (
	waitPollFirst = 5 * time.Millisecond
	waitPollMax   = 100 * time.Millisecond
)

// Querier is a pool, a connection or a transaction.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Progress tells how far a view has come.
type Progress struct {
	Projection string
	Version    int
	// Signal is that of the runner, if it is in this process, else nil.
	Signal *Signal
}

// ProgressOf returns the progress of a projection.
func ProgressOf(p Projection, s *Signal) Progress {
	return Progress{Projection: p.Name(), Version: p.Version(), Signal: s}
}

const sqlPosition = `SELECT pos FROM projections.checkpoints JOIN projections.views USING (projection, version, build)
	WHERE projection = $1 AND version = $2 AND shard = $3 AND state <> 'retired'
	ORDER BY state = 'live' DESC, build LIMIT 1`

// Position returns the position up to which the live copy of the view knows the shard, or, before there is one, the
// first that is being built: 0 before its runner has ever started.
func (p Progress) Position(ctx context.Context, db Querier, shard int) (eventstore.Position, error) {
	at := eventstore.Position{Shard: shard}
	err := db.QueryRow(ctx, sqlPosition, p.Projection, p.Version, shard).Scan(&at.Pos)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return at, fmt.Errorf("read the checkpoint of %s: %w", p.Projection, err)
	}
	return at, nil
}

// WaitFor waits until the view knows a position, and returns false if it does not within the limit.
func (p Progress) WaitFor(
	ctx context.Context, db Querier, least eventstore.Position, limit time.Duration,
) (bool, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for poll := waitPollFirst; ; poll = min(2*poll, waitPollMax) {
		var moved <-chan struct{}
		if p.Signal != nil {
			moved = p.Signal.next()
		}
		at, err := p.Position(ctx, db, least.Shard)
		if err != nil || at.Pos >= least.Pos {
			return err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline.C:
			return false, nil
		case <-moved:
		case <-time.After(poll):
		}
	}
}
