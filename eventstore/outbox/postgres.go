package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// setupLock is an advisory lock: "otbx" in ASCII, and -1.
const (
	setupLockClass int32 = 0x6f746278
	setupLock      int32 = -1
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
	// A shard without a row is at 0, and only there. The commit does not wait for the disk, of which the commands have
	// more need: a crash of the database takes the newest moves back, and what they stood for is published again.
	sqlMove = `INSERT INTO outbox.checkpoints AS c (shard, pos)
SELECT $1::integer, $3::bigint FROM set_config('synchronous_commit', 'off', true)
WHERE $2::bigint = 0 OR EXISTS (SELECT 1 FROM outbox.checkpoints WHERE shard = $1::integer)
ON CONFLICT (shard) DO UPDATE SET pos = excluded.pos, moved_at = now() WHERE c.pos = $2::bigint`
)

// Postgres keeps checkpoints and the leases of leaders in the schema outbox.
type Postgres struct{ pool *pgxpool.Pool }

var (
	_ Checkpoints = (*Postgres)(nil)
	_ Leadership  = (*Postgres)(nil)
)

// NewPostgres returns checkpoints and leadership in a database that Setup was called for. The pool stays the caller's
// to close, after Run has returned.
func NewPostgres(pool *pgxpool.Pool) *Postgres { return &Postgres{pool: pool} }

// Setup creates what is missing in the database. Any number of processes may call it at once.
func (p *Postgres) Setup(ctx context.Context) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		// Without the lock two of these at once can both find the schema missing.
		if _, err := tx.Exec(ctx, sqlSetupLock, setupLockClass, setupLock); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlSchema); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sqlTable); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, sqlLeases)
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
