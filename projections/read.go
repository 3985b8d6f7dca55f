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

// sqlByIndex is for pages of long lists: they come from an index that has their order, however many rows there are.
// What Postgres believes of an account is far off: it takes the predicate and the policy for two conditions that each
// leave few rows, and then reads all of them to sort.
const sqlByIndex = `SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
	set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

// Asking says who asks, and what.
type Asking struct {
	// Account is whose rows there are.
	Account domain.AccountID
	// Shard is that of the account.
	Shard int
	// Of are the views that are read.
	Of []Progress
	// List says that a page of a long list is wanted.
	List bool
}

// ReadAccount runs do on a snapshot in which there is nothing but the account's rows. It returns CodeUnavailable if one
// of the views is still being built. It may run do again, after an error.
func ReadAccount(ctx context.Context, pool *pgxpool.Pool, a Asking, do func(Snapshot) error) error {
	if a.Account == "" {
		return domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	return read(ctx, pool, a, do)
}

// ReadSystem runs do on a snapshot of the tables that the system itself reads, of all accounts.
func ReadSystem(ctx context.Context, pool *pgxpool.Pool, of []Progress, do func(Snapshot) error) error {
	return read(ctx, pool, Asking{Of: of}, do)
}

func read(ctx context.Context, pool *pgxpool.Pool, a Asking, do func(Snapshot) error) error {
	for try := 1; ; try++ {
		err := readOnce(ctx, pool, a, do)
		var answer *pgconn.PgError
		if try == readTries || !errors.As(err, &answer) || !undefined[answer.Code] {
			return err
		}
	}
}

func readOnce(ctx context.Context, pool *pgxpool.Pool, a Asking, do func(Snapshot) error) error {
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
func (s *Snapshot) begin(ctx context.Context, a Asking) error {
	role := RoleReader
	if a.Account == "" {
		role = RoleOperator
	}
	names, versions := make([]string, len(a.Of)), make([]int, len(a.Of))
	for i, view := range a.Of {
		names[i], versions[i] = view.Projection, view.Version
	}
	var batch pgx.Batch
	batch.Queue(sqlBegin)
	batch.Queue(sqlReadAs, role, a.Account, names, versions, a.Shard).QueryRow(func(row pgx.Row) error {
		return row.Scan(nil, nil, nil, &s.Positions)
	})
	if a.List {
		batch.Queue(sqlByIndex)
	}
	if err := s.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("begin a snapshot of the views: %w", migrateFirst(err))
	}
	if len(s.Positions) != len(a.Of) {
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
