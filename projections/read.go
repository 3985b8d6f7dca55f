package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/domain"
)

// Database asks within one snapshot. Tables are named without a schema: those of the live copies are meant.
type Database interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Snapshot is the live copies of some views at one moment.
type Snapshot struct {
	Database
	// Positions are how far each view knows the shard, in the order in which they were asked for.
	Positions []int64
}

// readTries is how often a reader looks again for the live copy: the one it found may be dropped while it begins.
const readTries = 3

const (
	sqlBegin  = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	sqlReadAs = `SELECT set_config('role', $1, true), set_config('` + SettingTenant + `', $2, true),
			set_config('search_path', string_agg(format('%s_v%s_b%s', projection, version, build), ', ' ORDER BY n), true),
			array_agg(pos ORDER BY n)
		FROM unnest($3::text[], $4::integer[]) WITH ORDINALITY AS w (projection, version, n)
		JOIN projections.views USING (projection, version)
		JOIN projections.checkpoints USING (projection, version, build)
		WHERE state = 'live' AND shard = $5`
)

// ReadAccount runs do on a snapshot in which there is nothing but the account's rows. It returns CodeUnavailable if one
// of the views is still being built. It may run do again, after an error.
func ReadAccount(
	ctx context.Context, pool *pgxpool.Pool, account domain.AccountID, shard int, of []Progress, do func(Snapshot) error,
) error {
	if account == "" {
		return domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	return read(ctx, pool, asking{account: account, shard: shard, of: of}, do)
}

// ReadSystem runs do on a snapshot of the tables that the system itself reads, of all accounts.
func ReadSystem(ctx context.Context, pool *pgxpool.Pool, of []Progress, do func(Snapshot) error) error {
	return read(ctx, pool, asking{of: of}, do)
}

// asking is who asks, and of what.
type asking struct {
	account domain.AccountID
	shard   int
	of      []Progress
}

func read(ctx context.Context, pool *pgxpool.Pool, a asking, do func(Snapshot) error) error {
	for try := 1; ; try++ {
		err := readOnce(ctx, pool, a, do)
		var answer *pgconn.PgError
		if try == readTries || !errors.As(err, &answer) || !undefined[answer.Code] {
			return err
		}
	}
}

func readOnce(ctx context.Context, pool *pgxpool.Pool, a asking, do func(Snapshot) error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the views: %w", err)
	}
	defer conn.Release()
	s := Snapshot{Database: conn.Conn()}
	if err = s.begin(ctx, a); err == nil {
		err = do(s)
	}
	end := `COMMIT`
	if err != nil {
		end = `ROLLBACK`
	}
	if _, endErr := conn.Exec(context.WithoutCancel(ctx), end); endErr != nil && err == nil {
		err = fmt.Errorf("end the snapshot: %w", endErr)
	}
	return err
}

// begin takes one round trip.
func (s *Snapshot) begin(ctx context.Context, a asking) error {
	role := RoleReader
	if a.account == "" {
		role = RoleOperator
	}
	names, versions := make([]string, len(a.of)), make([]int, len(a.of))
	for i, view := range a.of {
		names[i], versions[i] = view.Projection, view.Version
	}
	var batch pgx.Batch
	batch.Queue(sqlBegin)
	batch.Queue(sqlReadAs, role, a.account, names, versions, a.shard).QueryRow(func(row pgx.Row) error {
		return row.Scan(nil, nil, nil, &s.Positions)
	})
	if err := s.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("begin a snapshot of the views: %w", migrateFirst(err))
	}
	if len(s.Positions) != len(a.of) {
		return domain.Errorf(domain.CodeUnavailable, "what is asked for is still being built from the ledger")
	}
	return nil
}

const sqlBecome = `SELECT set_config('role', $1, true)`

// System runs do in the same snapshot with the tables that the system itself reads, of all accounts: for what an
// account may know of the others, such as how many wait before it.
func (s Snapshot) System(ctx context.Context, do func() error) error {
	if err := s.become(ctx, RoleOperator); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.become(ctx, RoleReader)
}

func (s Snapshot) become(ctx context.Context, role string) error {
	if err := s.QueryRow(ctx, sqlBecome, role).Scan(nil); err != nil {
		return fmt.Errorf("read as %s: %w", role, err)
	}
	return nil
}
