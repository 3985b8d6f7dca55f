package pgtest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/adapters/pgserver"
)

const (
	// setupTimeout covers a download of the binaries, the creation of the cluster and the migration of a template.
	setupTimeout   = 5 * time.Minute
	cleanupTimeout = 30 * time.Second
	// poolCloseTimeout is when a test is told that it has not given its connections back.
	poolCloseTimeout = 10 * time.Second
)

// Schema says what is in a database when the test gets it. The zero value is an empty database.
type Schema struct {
	// Hash identifies what Migrate does: the same hash shares one template, across test processes.
	Hash string
	// Migrate fills the empty database at the superuser URL and closes its connections. Nil leaves it empty.
	Migrate func(ctx context.Context, url string) error
}

// New returns a pool of superuser connections to a new database, which is closed and dropped after the test.
func New(t testing.TB, schema Schema) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), URL(t, schema))
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { closePool(t, pool) })
	return pool
}

// URL returns the superuser URL of a new database, which is dropped after the test.
func URL(t testing.TB, schema Schema) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	db, err := defaultServer().open(ctx, schema)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := db.close(ctx, t.Failed(), t.Name()); err != nil {
			t.Errorf("pgtest: %v", err)
		}
		if t.Failed() {
			t.Logf("pgtest: the database is kept for %s: psql '%s'", keptFor, db.shown)
		}
	})
	return db.url
}

// closePool reports a connection that the test still holds instead of waiting for it for ever.
func closePool(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	closed := make(chan struct{})
	go func() {
		pool.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(poolCloseTimeout):
		t.Errorf("pgtest: the test did not give back %d connections", pool.Stat().AcquiredConns())
	}
}

// DataDir returns a new folder for [Durable], removed after the test. Unlike t.TempDir it can be entered by the user
// that the server of a test run by root needs.
func DataDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pingvas-pgtest-durable-")
	if err != nil {
		t.Fatalf("pgtest: create a data folder: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("pgtest: remove the data folder: %v", err)
		}
	})
	return dir
}

// Durable starts a private server with all durability on, for tests that kill servers. It is stopped after the test;
// a second call on the folder, after Stop or a crash, goes on with its data.
func Durable(t testing.TB, dataDir string) *pgserver.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	cache, err := cacheDir()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	server, err := pgserver.Start(ctx, pgserver.Config{DataDir: dataDir, CacheDir: cache})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return server
}
