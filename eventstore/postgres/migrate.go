package postgres

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/pingvas/pingvas/eventstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrateLockID is the advisory lock that one migrating process holds: "pv.ledgr" in ASCII.
const migrateLockID int64 = 0x70762e6c65646772

const (
	lockSQL         = `SELECT pg_advisory_lock($1)`
	createSchemaSQL = `CREATE SCHEMA IF NOT EXISTS ledger`
	// createSQL is one statement, so that a ledger has all its shards or is not there.
	createSQL = `WITH created AS (INSERT INTO ledger.meta (shards) VALUES ($1) ON CONFLICT DO NOTHING RETURNING shards)
INSERT INTO ledger.shards (shard) SELECT generate_series(0, shards - 1) FROM created`
	selectShardsSQL = `SELECT shards FROM ledger.meta`
)

// Migrate brings the database at the URL to the newest schema and creates the ledger, with this many shards, if there
// is none. It fails if the ledger has another number of shards. Any number of processes may call it at once: the
// others wait. What was done is recorded in ledger.migrations.
func Migrate(ctx context.Context, url string, shards int) error {
	if shards < 1 || shards > eventstore.ShardsMax {
		return fmt.Errorf("migrate the ledger: %d shards, must be 1 to %d", shards, eventstore.ShardsMax)
	}
	cfg, err := pgxpool.ParseConfig(url) // unlike pgx's own, it takes a URL with settings of the pool
	if err != nil {
		return errors.New("migrate the ledger: its URL cannot be read") // the driver's text may hold the password
	}
	db := stdlib.OpenDB(*cfg.ConnConfig)
	defer db.Close()
	lock, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("migrate the ledger: %w", err)
	}
	defer lock.Close() // closed with db, which ends the session and so gives the lock back
	if _, err := lock.ExecContext(ctx, lockSQL, migrateLockID); err != nil {
		return fmt.Errorf("migrate the ledger: wait for other migrations: %w", err)
	}
	if err := up(ctx, db); err != nil {
		return fmt.Errorf("migrate the ledger: %w", err)
	}
	return create(ctx, db, shards)
}

func up(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, createSchemaSQL); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("ledger.migrations"))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func create(ctx context.Context, db *sql.DB, shards int) error {
	if _, err := db.ExecContext(ctx, createSQL, shards); err != nil {
		return fmt.Errorf("create the ledger: %w", err)
	}
	var has int
	if err := db.QueryRowContext(ctx, selectShardsSQL).Scan(&has); err != nil {
		return fmt.Errorf("read the number of shards: %w", err)
	}
	if has != shards {
		return shardsDiffer(has, shards)
	}
	return nil
}

// MigrationHash identifies the migrations: it changes when any of them does.
func MigrationHash() string {
	h := sha256.New()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	for _, name := range files {
		b, readErr := migrations.ReadFile(name)
		err = errors.Join(err, readErr)
		fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
	}
	if err != nil {
		panic(fmt.Sprintf("the embedded migrations cannot be read: %v", err))
	}
	return hex.EncodeToString(h.Sum(nil))
}
