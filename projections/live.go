package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
)

const (
	// goLiveEvery is how often the first copy of a version looks whether it has caught up, and liveLook how often a
	// runner looks whether its copy is still live: an operator may have dropped it.
	goLiveEvery = 20 * time.Millisecond
	liveLook    = time.Second
	// headsFresh is how old the heads may be that it has passed.
	headsFresh = time.Second
	// KeepEvery is how often a process says that it uses a version, and clears away what nobody uses.
	KeepEvery = time.Minute
	// RetiredGrace is how long a replaced copy stays.
	RetiredGrace = time.Minute
	// UnusedGrace is how long a version stays that no process uses, once a newer one is live.
	UnusedGrace = 15 * time.Minute
)

// goLive makes the first copy of a version live when it has passed the heads that the ledger had a moment ago.
func (r *Runner) goLive(ctx context.Context) {
	var heads []eventstore.Head
	var read time.Time
	for wait := goLiveEvery; pause(ctx, wait); {
		known, err := r.current(ctx)
		if wait = goLiveEvery; err == nil && known != nil && known.state == Live {
			wait = liveLook
			continue
		}
		if err == nil {
			err = r.join(ctx, known)
		}
		if err == nil && time.Since(read) > headsFresh {
			heads, err = r.cfg.Ledger.Heads(ctx)
			read = time.Now()
		}
		if err == nil && known != nil && r.passed(heads) {
			err = errors.Join(analyze(ctx, r.cfg.Pool, known.Copy), makeLive(ctx, r.cfg.Pool, known.Copy))
			r.cfg.Signal.broadcast()
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "a projection cannot go live yet",
				slog.String("projection", r.cfg.Projection.Name()), slog.Any("error", err))
		}
	}
}

// current looks the copy up on a connection that it takes itself. A row that a pool returns is kept until its
// connection has had 128 of them, and keeps 2 KiB of the pool's bookkeeping with it: one a second, on connections that
// do thousands of other things, adds up to megabytes.
func (r *Runner) current(ctx context.Context) (known *view, err error) {
	err = r.cfg.Pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		known, err = current(ctx, conn, r.cfg.Projection)
		return err
	})
	return known, err
}

// join has all shards write to the copy that is being built, or to a new one where there is none. A shard without
// events would not notice that the one before was dropped.
func (r *Runner) join(ctx context.Context, known *view) error {
	for _, s := range r.shards {
		if known != nil && s.build.Load() == int64(known.Build) {
			continue
		}
		s.mu.Lock()
		err := r.reload(ctx, s)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		s.notify()
	}
	return nil
}

// passed reports whether all shards are at these heads or after them.
func (r *Runner) passed(heads []eventstore.Head) bool {
	for i, s := range r.shards {
		if len(heads) <= i || s.pos.Load() < heads[i].Pos {
			return false
		}
	}
	return true
}

// analyze tells Postgres how large the tables of a new copy are, since readers come at once.
func analyze(ctx context.Context, pool *pgxpool.Pool, c Copy) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, asOwner); err != nil {
			return fmt.Errorf("be the owner of %s: %w", c.Schema(), err)
		}
		// Query reports its error through the rows.
		rows, _ := tx.Query(ctx, sqlTables, c.Schema())
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("list the tables of %s: %w", c.Schema(), err)
		}
		for _, table := range tables {
			if _, err := tx.Exec(ctx, `ANALYZE `+pgx.Identifier{c.Schema(), table}.Sanitize()); err != nil {
				return fmt.Errorf("analyze %s: %w", table, err)
			}
		}
		return nil
	})
}

const sqlMakeLive = `UPDATE projections.views v SET state = 'live', live_at = now()
	WHERE projection = $1 AND version = $2 AND build = $3 AND state = 'building' AND NOT EXISTS (
		SELECT FROM projections.views o WHERE o.projection = v.projection AND o.version = v.version AND o.state = 'live')`

func makeLive(ctx context.Context, pool *pgxpool.Pool, c Copy) error {
	return asProjector(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlMakeLive, c.Projection, c.Version, c.Build); err != nil {
			return fmt.Errorf("make %s live: %w", c.Schema(), err)
		}
		return nil
	})
}

// keep says from time to time that this version is in use, and drops what is not.
func (r *Runner) keep(ctx context.Context) {
	for pause(ctx, KeepEvery) {
		if err := Keep(ctx, r.cfg.Pool, r.cfg.Projection); err != nil && ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "a projection cannot say that it is in use",
				slog.String("projection", r.cfg.Projection.Name()), slog.Any("error", err))
			continue
		}
		if err := Sweep(ctx, r.cfg.Pool, r.cfg.Projection); err != nil && ctx.Err() == nil {
			r.cfg.Log.WarnContext(ctx, "old copies of a projection could not be dropped",
				slog.String("projection", r.cfg.Projection.Name()), slog.Any("error", err))
		}
	}
}

const sqlKeep = `UPDATE projections.views SET used_at = now() WHERE projection = $1 AND version = $2`

// Keep says that a process uses this version of a view, so that it stays for UnusedGrace although a newer one is live.
// Runners do it by themselves; processes that only read do it once a minute.
func Keep(ctx context.Context, pool *pgxpool.Pool, p Projection) error {
	return asProjector(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlKeep, p.Name(), p.Version()); err != nil {
			return fmt.Errorf("keep version %d of %s: %w", p.Version(), p.Name(), err)
		}
		return nil
	})
}

const sqlUnused = `SELECT projection, version, build FROM projections.views v WHERE projection = $1 AND (
	state = 'retired' AND retired_at < now() - $2::interval
	OR used_at < now() - $3::interval AND EXISTS (SELECT FROM projections.views n
		WHERE n.projection = v.projection AND n.version > v.version AND n.state = 'live'))`

// Sweep drops the copies of a view that nobody uses any more: replaced ones, and those of older versions.
func Sweep(ctx context.Context, pool *pgxpool.Pool, p Projection) error {
	// Query reports its error through the rows.
	rows, _ := pool.Query(ctx, sqlUnused, p.Name(), RetiredGrace, UnusedGrace)
	unused, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Copy])
	if err != nil {
		return fmt.Errorf("look for copies of %s to drop: %w", p.Name(), err)
	}
	for _, c := range unused {
		if err := locked(ctx, pool, func(tx pgx.Tx) error { return dropCopy(ctx, tx, c) }); err != nil {
			return err
		}
	}
	return nil
}
