package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Copy is one build of a version of a view, in a Postgres schema of its own.
type Copy struct {
	Projection string `json:"-"`
	Version    int    `json:"version"`
	Build      int    `json:"build"` // from 1
}

// Schema returns the Postgres schema that holds the tables, e.g. balance_v2_b1.
func (c Copy) Schema() string { return fmt.Sprintf("%s_v%d_b%d", c.Projection, c.Version, c.Build) }

// State is what a copy is for.
type State string

const (
	// Building copies have not caught up yet. Nobody reads them.
	Building State = "building"
	// Live copies are read. A version has one at most.
	Live State = "live"
	// Retired copies were replaced and are dropped soon.
	Retired State = "retired"
)

// view is what is known of a copy that was set up.
type view struct {
	Copy
	state              State
	schemaHash, sinkID string
	lost               bool // its schema is gone
}

// sqlCurrent finds the copy of a version that its runners write to: the live one, or before there is any the first.
const sqlCurrent = `SELECT build, state, schema_hash, sink_id,
		to_regnamespace(format('%s_v%s_b%s', projection, version, build)) IS NULL
	FROM projections.views WHERE projection = $1 AND version = $2 AND state <> 'retired'
	ORDER BY state = 'live' DESC, build LIMIT 1`

// current returns nil for a version that was not set up.
func current(ctx context.Context, db Querier, p Projection) (*view, error) {
	v := view{Copy: Copy{Projection: p.Name(), Version: p.Version()}}
	row := db.QueryRow(ctx, sqlCurrent, p.Name(), p.Version())
	err := row.Scan(&v.Build, &v.state, &v.schemaHash, &v.sinkID, &v.lost)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the view %s: %w", p.Name(), err)
	}
	return &v, nil
}

// LiveCopy returns the copy that readers of this version see. It returns an error as long as there is none.
func LiveCopy(ctx context.Context, db Querier, p Projection) (Copy, error) {
	v, err := current(ctx, db, p)
	if err == nil && (v == nil || v.state != Live) {
		err = fmt.Errorf("version %d of the view %s is still being built", p.Version(), p.Name())
	}
	if err != nil {
		return Copy{}, err
	}
	return v.Copy, nil
}

// target is the tables of a copy, or of a replay.
type target struct {
	schema   string
	ddl      string
	operated []string
}

func targetOf(p Projection, schema string) target {
	t := target{schema: schema, ddl: p.Schema()}
	if o, ok := p.(Operated); ok {
		t.operated = o.OperatorTables()
	}
	return t
}

func (t target) quoted() string { return pgx.Identifier{t.schema}.Sanitize() }

// sqlEnter makes the transaction see the tables of a copy, as the role that may write to them. Views are built again
// from the record if need be, so no commit waits for the disk. A process that stands still in the transaction loses its
// connection, so that its locks do not keep others from going on. Plans are made when tables may still be empty: only
// lookups by index are right at every size.
const sqlEnter = `SELECT set_config('role', '` + RoleProjector + `', true), set_config('search_path', $1, true),
	set_config('synchronous_commit', 'off', true), set_config('idle_in_transaction_session_timeout', $2, true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
	set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

func (t target) enter(ctx context.Context, tx pgx.Tx, holdMax time.Duration) error {
	if _, err := tx.Exec(ctx, sqlEnter, t.quoted(), milliseconds(holdMax)); err != nil {
		return fmt.Errorf("enter the schema %s: %w", t.schema, err)
	}
	return nil
}

// asProjector runs do as the role that writes to views and to the runner's own tables.
func asProjector(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := (target{schema: "projections"}).enter(ctx, tx, HoldMaxDefault); err != nil {
			return err
		}
		return do(tx)
	})
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// create makes the tables, as their owner.
func (t target) create(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+t.quoted()); err != nil {
		return fmt.Errorf("create the schema %s: %w", t.schema, err)
	}
	if _, err := tx.Exec(ctx, `SELECT set_config('search_path', $1, true)`, t.quoted()); err != nil {
		return fmt.Errorf("enter the schema %s: %w", t.schema, err)
	}
	if _, err := tx.Exec(ctx, t.ddl); err != nil {
		return fmt.Errorf("create the tables of %s: %w", t.schema, err)
	}
	return t.protect(ctx, tx)
}

func (t target) drop(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+t.quoted()+` CASCADE`); err != nil {
		return fmt.Errorf("drop the schema %s: %w", t.schema, err)
	}
	return nil
}
