package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How a leader is found and watched.
const (
	// tryEvery is how often a process that does not lead tries to. It does not wait inside a statement, whose snapshot
	// would keep the database from cleaning up.
	tryEvery = time.Second
	// watchEvery is how often a leader looks whether it still has the connection that its lock belongs to.
	watchEvery   = time.Second
	watchTimeout = 3 * time.Second
	// giveBackTimeout bounds the release of a lock; after it the connection is closed, which releases it too.
	giveBackTimeout = 2 * time.Second
)

// Advisory locks of this package: "otbx" in ASCII, then the group, or setupLock.
const (
	lockClass int32 = 0x6f746278
	setupLock int32 = -1
)

const (
	sqlSetupLock = `SELECT pg_advisory_xact_lock($1, $2)`
	sqlSchema    = `CREATE SCHEMA IF NOT EXISTS outbox`
	sqlTable     = `CREATE TABLE IF NOT EXISTS outbox.checkpoints (
	shard    integer PRIMARY KEY CHECK (shard >= 0),
	pos      bigint NOT NULL CHECK (pos >= 0),
	moved_at timestamptz NOT NULL DEFAULT now()
)`
	sqlLoad = `SELECT pos FROM outbox.checkpoints WHERE shard = $1`
	// A shard without a row is at 0, and only there.
	sqlMove = `INSERT INTO outbox.checkpoints AS c (shard, pos)
SELECT $1::integer, $3::bigint
WHERE $2::bigint = 0 OR EXISTS (SELECT 1 FROM outbox.checkpoints WHERE shard = $1::integer)
ON CONFLICT (shard) DO UPDATE SET pos = excluded.pos, moved_at = now() WHERE c.pos = $2::bigint`
	sqlTryLock = `SELECT pg_try_advisory_lock($1, $2)`
	sqlUnlock  = `SELECT pg_advisory_unlock($1, $2)`
)

// Postgres keeps checkpoints in the schema outbox, and finds leaders by advisory locks of a session. A connection
// pooler that shares sessions must not stand between.
type Postgres struct{ pool *pgxpool.Pool }

var (
	_ Checkpoints = (*Postgres)(nil)
	_ Leadership  = (*Postgres)(nil)
)

// NewPostgres returns checkpoints and leadership in a database that Setup was called for. The pool stays the caller's
// to close, after Run has returned; a leader holds one connection of it for each group.
func NewPostgres(pool *pgxpool.Pool) *Postgres { return &Postgres{pool: pool} }

// Setup creates what is missing in the database. Any number of processes may call it at once.
func (p *Postgres) Setup(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// Without the lock two of these at once can both find the schema missing.
		if _, err := tx.Exec(ctx, sqlSetupLock, lockClass, setupLock); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlSchema); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlTable)
		return err
	})
	if err != nil {
		return fmt.Errorf("set up the outbox: %w", err)
	}
	return nil
}

// Load implements Checkpoints.
func (p *Postgres) Load(ctx context.Context, shard int) (int64, error) {
	var pos int64
	err := p.pool.QueryRow(ctx, sqlLoad, shard).Scan(&pos)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("load the checkpoint of shard %d: %w", shard, err)
	}
	return pos, nil
}

// Move implements Checkpoints.
func (p *Postgres) Move(ctx context.Context, shard int, from, to int64) error {
	tag, err := p.pool.Exec(ctx, sqlMove, shard, from, to)
	if err != nil {
		return fmt.Errorf("move the checkpoint of shard %d: %w", shard, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrMoved
	}
	return nil
}

// Lead implements Leadership.
func (p *Postgres) Lead(ctx context.Context, group int, work func(ctx context.Context) error) error {
	for {
		conn, err := p.tryLead(ctx, group)
		if err != nil {
			return err
		}
		if conn != nil {
			return p.hold(ctx, conn, group, work)
		}
		if !pause(ctx, tryEvery) {
			return ctx.Err()
		}
	}
}

// tryLead returns the connection that has the lock of the group, or nil if another process leads.
func (p *Postgres) tryLead(ctx context.Context, group int) (*pgxpool.Conn, error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to lead group %d: %w", group, err)
	}
	var leads bool
	if err := conn.QueryRow(ctx, sqlTryLock, lockClass, int32(group)).Scan(&leads); err != nil {
		// It is unknown whether the session has the lock.
		discard(ctx, conn)
		return nil, fmt.Errorf("try to lead group %d: %w", group, err)
	}
	if !leads {
		conn.Release()
		return nil, nil
	}
	return conn, nil
}

// hold works while the connection lives, then gives the lock back.
func (p *Postgres) hold(
	ctx context.Context, conn *pgxpool.Conn, group int, work func(ctx context.Context) error,
) error {
	leading, end := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		defer end(nil)
		done <- work(leading)
	}()
	for pause(leading, watchEvery) {
		if err := ping(ctx, conn); err != nil && ctx.Err() == nil {
			end(fmt.Errorf("the connection of the leader of group %d broke: %w", group, err))
		}
	}
	err := <-done
	giveBack(ctx, conn, group)
	if cause := context.Cause(leading); err == nil && ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

func ping(ctx context.Context, conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	return conn.Ping(ctx)
}

// giveBack releases the lock, so that the next leader need not wait.
func giveBack(ctx context.Context, conn *pgxpool.Conn, group int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	if _, err := conn.Exec(ctx, sqlUnlock, lockClass, int32(group)); err != nil {
		discard(ctx, conn)
		return
	}
	conn.Release()
}

// discard closes a connection instead of giving it back to the pool, and with it the locks of its session.
func discard(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_ = conn.Hijack().Close(ctx) // it is gone either way
}
