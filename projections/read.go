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
	sqlCommit = `COMMIT`
	sqlBegin  = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	sqlReadAs = `SELECT set_config('role', $1, true), set_config('` + SettingTenant + `', $2, true),
			set_config('search_path', string_agg(format('%s_v%s_b%s', projection, version, build), ', ' ORDER BY n), true),
			array_agg(pos ORDER BY n)
		FROM unnest($3::text[], $4::integer[]) WITH ORDINALITY AS w (projection, version, n)
		JOIN projections.views USING (projection, version)
		JOIN projections.checkpoints USING (projection, version, build)
		WHERE state = 'live' AND shard = $5`
	// sqlReadOne is the same for one view.
	sqlReadOne = `SELECT set_config('role', $1, true), set_config('` + SettingTenant + `', $2, true),
			set_config('search_path', format('%s_v%s_b%s', projection, version, build), true), pos
		FROM projections.views JOIN projections.checkpoints USING (projection, version, build)
		WHERE projection = $3 AND version = $4 AND state = 'live' AND shard = $5`
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
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the views: %w", err)
	}
	defer conn.Release()
	return a.readOn(ctx, conn, do)
}

func (a Asking) readOn(ctx context.Context, conn *pgxpool.Conn, do func(Snapshot) error) (err error) {
	for range readTries {
		s := Snapshot{Database: conn.Conn()}
		if s.Positions, err = a.begin(ctx, conn); err == nil {
			err = do(s)
		}
		if err = end(ctx, conn, err); !isUndefined(err) {
			return err
		}
	}
	return err
}

func isUndefined(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && undefined[answer.Code]
}

// end ends the snapshot, if it has begun.
func end(ctx context.Context, conn *pgxpool.Conn, err error) error {
	sql := sqlCommit
	if err != nil {
		sql = `ROLLBACK`
	}
	if _, endErr := conn.Exec(context.WithoutCancel(ctx), sql); endErr != nil && err == nil {
		err = fmt.Errorf("end the snapshot: %w", endErr)
	}
	return err
}

// begin takes one round trip.
func (a Asking) begin(ctx context.Context, conn *pgxpool.Conn) (positions []int64, err error) {
	var batch pgx.Batch
	a.queue(&batch, &positions)
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("begin a snapshot of the views: %w", migrateFirst(err))
	}
	return positions, a.live(positions)
}

// queue adds what a snapshot begins with.
func (a Asking) queue(batch *pgx.Batch, positions *[]int64) {
	role := RoleReader
	if a.Account == "" {
		role = RoleOperator
	}
	batch.Queue(sqlBegin)
	if len(a.Of) == 1 {
		batch.Queue(sqlReadOne, role, a.Account, a.Of[0].Projection, a.Of[0].Version, a.Shard).
			Query(func(rows pgx.Rows) error {
				var pos int64
				_, err := pgx.ForEachRow(rows, []any{nil, nil, nil, &pos}, func() error {
					*positions = []int64{pos}
					return nil
				})
				return err
			})
	} else {
		names, versions := make([]string, len(a.Of)), make([]int, len(a.Of))
		for i, view := range a.Of {
			names[i], versions[i] = view.Projection, view.Version
		}
		batch.Queue(sqlReadAs, role, a.Account, names, versions, a.Shard).QueryRow(func(row pgx.Row) error {
			return row.Scan(nil, nil, nil, positions)
		})
	}
	if a.List {
		batch.Queue(sqlByIndex)
	}
}

// live returns an error if there is a view without a live copy.
func (a Asking) live(positions []int64) error {
	if len(positions) != len(a.Of) {
		return domain.Errorf(domain.CodeUnavailable, "what is asked for is still being built from the ledger")
	}
	return nil
}

// Question is a single statement. Its text is that of a constant.
type Question struct {
	SQL  string
	Args []any
}

// ReadOnce asks a single question of an account's rows, in one round trip once the connection knows the question. It
// returns the positions of the views.
func ReadOnce(
	ctx context.Context, pool *pgxpool.Pool, a Asking, q Question, scan func(pgx.Rows) error,
) (positions []int64, err error) {
	if a.Account == "" {
		return nil, domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the views: %w", err)
	}
	defer conn.Release()
	known := conn.Conn().PgConn().CustomData()
	if known[q.SQL] != nil {
		if positions, err = a.whole(ctx, conn, q, scan); !isUndefined(err) {
			return positions, err
		}
	}
	// A statement is prepared inside of a snapshot only: elsewhere its tables are not in sight.
	err = a.readOn(ctx, conn, func(s Snapshot) error {
		positions = s.Positions
		rows, err := s.Query(ctx, q.SQL, q.Args...)
		if err != nil {
			return err
		}
		known[q.SQL] = true
		return scan(rows)
	})
	return positions, err
}

// whole asks from the beginning to the end of the snapshot in one round trip.
func (a Asking) whole(
	ctx context.Context, conn *pgxpool.Conn, q Question, scan func(pgx.Rows) error,
) (positions []int64, err error) {
	var batch pgx.Batch
	var scanned error
	a.queue(&batch, &positions)
	batch.Queue(q.SQL, q.Args...).Query(func(rows pgx.Rows) error {
		scanned = scan(rows)
		return rows.Err()
	})
	batch.Queue(sqlCommit)
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return positions, end(ctx, conn, err)
	}
	if err := a.live(positions); err != nil {
		return positions, err
	}
	return positions, scanned
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
