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

// asOwner lets the transaction do what the login may do, whatever role the connection began with.
const asOwner = `SELECT set_config('role', 'none', true)`

// locked runs do as the owner of the views, in a transaction that no other set-up runs beside.
func locked(ctx context.Context, pool *pgxpool.Pool, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, asOwner); err != nil {
			return fmt.Errorf("be the owner of the views: %w", err)
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, setupLock); err != nil {
			return fmt.Errorf("wait for other set-ups: %w", err)
		}
		return do(tx)
	})
}

const sqlLayout = `SELECT coalesce(obj_description(to_regnamespace('projections'), 'pg_namespace'), '')`

// Migrate creates the roles and the runner's own tables, where they are missing. The login of the pool becomes their
// owner.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	return locked(ctx, pool, func(tx pgx.Tx) error {
		if err := createRoles(ctx, tx); err != nil {
			return err
		}
		var has string
		if err := tx.QueryRow(ctx, sqlLayout).Scan(&has); err != nil {
			return fmt.Errorf("look for the tables of the runner: %w", err)
		}
		layout := hash(schema)
		if has == layout {
			return nil
		}
		if _, err := tx.Exec(ctx, schema+`COMMENT ON SCHEMA projections IS '`+layout+`'`); err != nil {
			return fmt.Errorf("create the tables of the runner: %w", err)
		}
		return nil
	})
}

// Setup creates a copy of a view, to be built, and its checkpoints, if they are not there, and starts a view over whose
// schema was dropped or whose sink has lost its contents. A runner does it by itself; readers that may come first call
// it. It returns an error for a schema that was changed without a new version. It needs a database that Migrate has
// prepared.
func Setup(ctx context.Context, pool *pgxpool.Pool, p Projection, shards int) error {
	if _, ok := p.(Sink); !ok {
		known, err := current(ctx, pool, p)
		if err != nil {
			return migrateFirst(err)
		}
		if known != nil && !known.lost && known.schemaHash == hash(p.Schema()) {
			return nil
		}
	}
	return locked(ctx, pool, func(tx pgx.Tx) error {
		known, err := current(ctx, tx, p)
		if err != nil {
			return migrateFirst(err)
		}
		if known != nil && known.lost {
			if err := drop(ctx, tx, p); err != nil {
				return err
			}
			known = nil
		}
		if known != nil && known.schemaHash != hash(p.Schema()) {
			return fmt.Errorf("the schema of %s was changed without a new version: raise its version, or drop it",
				known.Schema())
		}
		sinkID, over, err := settleSink(ctx, tx, p, known)
		if err != nil || known != nil && !over {
			return err
		}
		_, err = newCopy(ctx, tx, p, sinkID, shards)
		return err
	})
}

// undefined are the SQLSTATEs for a missing schema or table.
var undefined = map[string]bool{"3F000": true, "42P01": true}

func migrateFirst(err error) error {
	if isUndefined(err) {
		return fmt.Errorf("the database is not prepared for read models, migrate it first: %w", err)
	}
	return err
}

// settleSink returns the id of the sink of a view, if it has one, and whether the view has to begin anew, in an empty
// sink: the rows belong to the contents of another.
func settleSink(ctx context.Context, tx pgx.Tx, p Projection, known *view) (id string, over bool, err error) {
	s, ok := p.(Sink)
	if !ok {
		return "", false, nil
	}
	if id, err = s.SinkID(ctx); err != nil {
		return "", false, fmt.Errorf("identify the sink of %s: %w", p.Name(), err)
	}
	if known != nil && known.sinkID == id {
		return id, false, nil
	}
	if err := drop(ctx, tx, s); err != nil {
		return "", false, err
	}
	if err := s.Clear(ctx); err != nil {
		return "", false, fmt.Errorf("clear the sink of %s: %w", s.Name(), err)
	}
	if id, err = s.SinkID(ctx); err != nil {
		return "", false, fmt.Errorf("identify the sink of %s: %w", s.Name(), err)
	}
	return id, true, nil
}

const (
	sqlNewView = `INSERT INTO projections.views (projection, version, build, schema_hash, sink_id, state)
		SELECT $1, $2, coalesce(max(build), 0) + 1, $3, $4, 'building' FROM projections.views
		WHERE projection = $1 AND version = $2 RETURNING build`
	sqlNewCheckpoints = `INSERT INTO projections.checkpoints (projection, version, build, shard, pos)
		SELECT $1, $2, $3, shard, 0 FROM generate_series(0, $4::integer - 1) AS shard`
)

// newCopy makes the tables and checkpoints of the next build.
func newCopy(ctx context.Context, tx pgx.Tx, p Projection, sinkID string, shards int) (Copy, error) {
	c := Copy{Projection: p.Name(), Version: p.Version()}
	err := tx.QueryRow(ctx, sqlNewView, c.Projection, c.Version, hash(p.Schema()), sinkID).Scan(&c.Build)
	if err != nil {
		return c, fmt.Errorf("record a copy of %s: %w", p.Name(), err)
	}
	if _, err := tx.Exec(ctx, sqlNewCheckpoints, c.Projection, c.Version, c.Build, shards); err != nil {
		return c, fmt.Errorf("create the checkpoints of %s: %w", c.Schema(), err)
	}
	t := targetOf(p, c.Schema())
	return c, errors.Join(t.drop(ctx, tx), t.create(ctx, tx))
}

// Drop removes all copies of a version of a view, so that its runner builds it again from the beginning.
func Drop(ctx context.Context, pool *pgxpool.Pool, p Projection) error {
	return locked(ctx, pool, func(tx pgx.Tx) error { return drop(ctx, tx, p) })
}

const (
	sqlBuilds      = `SELECT build FROM projections.views WHERE projection = $1 AND version = $2`
	sqlDropDigests = `DELETE FROM projections.digests WHERE projection = $1 AND version = $2`
)

func drop(ctx context.Context, tx pgx.Tx, p Projection) error {
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlBuilds, p.Name(), p.Version())
	builds, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return fmt.Errorf("list the copies of %s: %w", p.Name(), err)
	}
	if _, err := tx.Exec(ctx, sqlDropDigests, p.Name(), p.Version()); err != nil {
		return fmt.Errorf("take back the published digests: %w", err)
	}
	for _, build := range builds {
		if err := dropCopy(ctx, tx, Copy{Projection: p.Name(), Version: p.Version(), Build: build}); err != nil {
			return err
		}
	}
	return nil
}

const (
	sqlDropCheckpoints = `DELETE FROM projections.checkpoints WHERE projection = $1 AND version = $2 AND build = $3`
	sqlDropDeadLetters = `DELETE FROM projections.dead_letters WHERE projection = $1 AND version = $2 AND build = $3`
	sqlDropView        = `DELETE FROM projections.views WHERE projection = $1 AND version = $2 AND build = $3`
)

func dropCopy(ctx context.Context, tx pgx.Tx, c Copy) error {
	// The checkpoints go first: their row locks keep runners out of the tables.
	for _, sql := range []string{sqlDropCheckpoints, sqlDropDeadLetters, sqlDropView} {
		if _, err := tx.Exec(ctx, sql, c.Projection, c.Version, c.Build); err != nil {
			return fmt.Errorf("forget the view %s: %w", c.Schema(), err)
		}
	}
	if c.Version == 1 && c.Build == 1 {
		// Where an older program had it.
		before := target{schema: c.Projection + "_v1"}
		if err := before.drop(ctx, tx); err != nil {
			return err
		}
	}
	return target{schema: c.Schema()}.drop(ctx, tx)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// start sets the view up and takes over its positions.
func (r *Runner) start(ctx context.Context) error {
	if r.pinned == nil {
		if err := Setup(ctx, r.cfg.Pool, r.cfg.Projection, len(r.shards)); err != nil {
			return err
		}
	}
	for _, s := range r.shards {
		s.mu.Lock()
		err := r.reload(ctx, s)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}
