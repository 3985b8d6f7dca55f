package projections

import (
	"context"
	"crypto/sha256"
	_ "embed" // for schema.sql
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed schema.sql
var schema string

// setupLock is the advisory lock under which schemas are made and dropped.
const setupLock = 0x70677650

// target is one copy of a view's tables.
type target struct {
	schema string
	ddl    string
}

func targetOf(p Projection) target { return target{schema: SchemaName(p), ddl: p.Schema()} }

const sqlEnter = `SELECT set_config('search_path', $1, true)`

// enter makes the transaction see the tables of this copy.
func (t target) enter(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, sqlEnter, t.quoted()); err != nil {
		return fmt.Errorf("enter the schema %s: %w", t.schema, err)
	}
	return nil
}

func (t target) quoted() string { return pgx.Identifier{t.schema}.Sanitize() }

func (t target) create(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+t.quoted()); err != nil {
		return fmt.Errorf("create the schema %s: %w", t.schema, err)
	}
	if err := t.enter(ctx, tx); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, t.ddl); err != nil {
		return fmt.Errorf("create the tables of %s: %w", t.schema, err)
	}
	return nil
}

func (t target) drop(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+t.quoted()+` CASCADE`); err != nil {
		return fmt.Errorf("drop the schema %s: %w", t.schema, err)
	}
	return nil
}

// locked runs do in a transaction that no other set-up runs beside.
func locked(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, setupLock); err != nil {
			return fmt.Errorf("wait for other set-ups: %w", err)
		}
		if _, err := tx.Exec(ctx, schema); err != nil {
			return fmt.Errorf("create the tables of the runner: %w", err)
		}
		return do(tx)
	})
}

// Setup creates the tables of a view and its checkpoints, if they are not there, and starts a view over whose schema
// was dropped or whose sink has lost its contents. A runner does it by itself; readers that may come first call it. It
// returns an error for a schema that was changed without a new version.
func Setup(ctx context.Context, pool *pgxpool.Pool, p Projection, shards int) error {
	return locked(ctx, pool, func(tx pgx.Tx) error {
		known, err := lookUp(ctx, tx, p)
		if err != nil {
			return err
		}
		if known != nil && known.lost {
			if err := drop(ctx, tx, p); err != nil {
				return err
			}
			known = nil
		}
		if known != nil && known.schemaHash != schemaHash(p) {
			return fmt.Errorf("the schema of %s was changed without a new version: raise its version, or drop it",
				SchemaName(p))
		}
		fresh := view{schemaHash: schemaHash(p)}
		if s, ok := p.(Sink); ok {
			if fresh.sinkID, err = s.SinkID(ctx); err != nil {
				return fmt.Errorf("identify the sink of %s: %w", p.Name(), err)
			}
			if known == nil || known.sinkID != fresh.sinkID {
				known = nil
				if fresh.sinkID, err = startSinkOver(ctx, tx, s); err != nil {
					return err
				}
			}
		}
		// The DDL would wait for those who use the tables, and they for it.
		if known == nil {
			if err := targetOf(p).create(ctx, tx); err != nil {
				return err
			}
		}
		return record(ctx, tx, p, fresh, shards)
	})
}

// startSinkOver drops the view, so that it fills the sink from the beginning, and returns the new id of the sink.
func startSinkOver(ctx context.Context, tx pgx.Tx, s Sink) (string, error) {
	if err := drop(ctx, tx, s); err != nil {
		return "", err
	}
	if err := s.Clear(ctx); err != nil {
		return "", fmt.Errorf("clear the sink of %s: %w", s.Name(), err)
	}
	id, err := s.SinkID(ctx)
	if err != nil {
		return "", fmt.Errorf("identify the sink of %s: %w", s.Name(), err)
	}
	return id, nil
}

// Drop removes a view, so that its runner builds it again from the beginning.
func Drop(ctx context.Context, pool *pgxpool.Pool, p Projection) error {
	return locked(ctx, pool, func(tx pgx.Tx) error { return drop(ctx, tx, p) })
}

const (
	sqlDropCheckpoints = `DELETE FROM projections.checkpoints WHERE projection = $1 AND version = $2`
	sqlDropDeadLetters = `DELETE FROM projections.dead_letters WHERE projection = $1 AND version = $2`
	sqlDropView        = `DELETE FROM projections.views WHERE projection = $1 AND version = $2`
)

func drop(ctx context.Context, tx pgx.Tx, p Projection) error {
	// The checkpoints go first: their row locks keep runners out of the tables.
	for _, sql := range []string{sqlDropCheckpoints, sqlDropDeadLetters, sqlDropView} {
		if _, err := tx.Exec(ctx, sql, p.Name(), p.Version()); err != nil {
			return fmt.Errorf("forget the view %s: %w", SchemaName(p), err)
		}
	}
	return targetOf(p).drop(ctx, tx)
}

// view is what is known of a view that was set up.
type view struct {
	schemaHash, sinkID string
	lost               bool // its schema is gone
}

const sqlView = `SELECT schema_hash, sink_id, to_regnamespace($3) IS NULL FROM projections.views
	WHERE projection = $1 AND version = $2`

// lookUp returns nil for a view that was not set up.
func lookUp(ctx context.Context, tx pgx.Tx, p Projection) (*view, error) {
	var v view
	row := tx.QueryRow(ctx, sqlView, p.Name(), p.Version(), targetOf(p).quoted())
	err := row.Scan(&v.schemaHash, &v.sinkID, &v.lost)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up the view %s: %w", SchemaName(p), err)
	}
	return &v, nil
}

func schemaHash(p Projection) string {
	sum := sha256.Sum256([]byte(p.Schema()))
	return hex.EncodeToString(sum[:])
}

const (
	sqlInsertView = `INSERT INTO projections.views (projection, version, schema_hash, sink_id)
		VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`
	sqlInsertCheckpoints = `INSERT INTO projections.checkpoints (projection, version, shard, pos)
		SELECT $1, $2, shard, 0 FROM generate_series(0, $3::integer - 1) AS shard ON CONFLICT DO NOTHING`
)

func record(ctx context.Context, tx pgx.Tx, p Projection, v view, shards int) error {
	if _, err := tx.Exec(ctx, sqlInsertView, p.Name(), p.Version(), v.schemaHash, v.sinkID); err != nil {
		return fmt.Errorf("record the view %s: %w", SchemaName(p), err)
	}
	if _, err := tx.Exec(ctx, sqlInsertCheckpoints, p.Name(), p.Version(), shards); err != nil {
		return fmt.Errorf("create the checkpoints of %s: %w", SchemaName(p), err)
	}
	return nil
}

const sqlPositions = `SELECT shard, pos FROM projections.checkpoints WHERE projection = $1 AND version = $2`

// start sets the view up and takes over its positions.
func (r *Runner) start(ctx context.Context) error {
	p := r.cfg.Projection
	if err := Setup(ctx, r.cfg.Pool, p, len(r.shards)); err != nil {
		return err
	}
	// Query reports its error through the rows.
	rows, _ := r.cfg.Pool.Query(ctx, sqlPositions, p.Name(), p.Version())
	var id int
	var pos int64
	_, err := pgx.ForEachRow(rows, []any{&id, &pos}, func() error {
		if id < len(r.shards) {
			r.shards[id].pos.Store(pos)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the checkpoints of %s: %w", SchemaName(p), err)
	}
	return nil
}
