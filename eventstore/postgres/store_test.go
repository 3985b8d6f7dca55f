package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

const (
	shards = 4
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func migrated(shards int) pgtest.Schema {
	return pgtest.Schema{
		Hash:    fmt.Sprintf("%s-%d", postgres.MigrationHash(), shards),
		Migrate: func(ctx context.Context, url string) error { return postgres.Migrate(ctx, url, shards) },
	}
}

// connect returns a pool whose connections are as the store asks for them: see the package's documentation.
func connect(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	postgres.ByIndex(cfg)
	postgres.WaitForCancelled(cfg)
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func openPool(t testing.TB, pool *pgxpool.Pool) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{Pool: pool})
	require.NoError(t, err)
	return store
}

func open(t testing.TB) eventstore.Store {
	t.Helper()
	return openPool(t, connect(t, pgtest.URL(t, migrated(shards))))
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

func TestStoreAgainstTheModel(t *testing.T) {
	t.Parallel()
	model, err := memory.New(memory.Config{Shards: shards, Now: time.Now})
	require.NoError(t, err)
	storetest.RunModel(t, open(t), model)
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open) }

func TestTwoProcessesShareALedger(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, migrated(shards))
	pool := connect(t, url)
	storetest.RaceWriters(t, 1, openPool(t, pool), openPool(t, connect(t, url)))
	var wrong int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM ledger.shards s
WHERE s.pos <> (SELECT count(*) FROM ledger.events e WHERE e.shard = s.shard)
	OR s.pos <> (SELECT COALESCE(max(pos), 0) FROM ledger.events e WHERE e.shard = s.shard)`).Scan(&wrong))
	require.Zero(t, wrong)
}

// TestShardsDoNotWait proves that an append which holds one shard does not hold up another.
func TestShardsDoNotWait(t *testing.T) {
	t.Parallel()
	pool := connect(t, pgtest.URL(t, migrated(shards)))
	store := openPool(t, pool)
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(1886809191, 0)`) // as ledger.append does
	require.NoError(t, err)

	free := storetest.Unit(storetest.Accounts(1, shards, 1)[0], 1, 1)
	_, err = storetest.Append(t.Context(), store, 1, free)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	held := storetest.Unit(storetest.Accounts(0, shards, 1)[0], 1, 1)
	_, err = storetest.Append(short, store, 0, held)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, tx.Rollback(t.Context()))
	require.Empty(t, storetest.ReadAll(t, store, 0))
}

func TestWhatWasRecordedIsNeverChanged(t *testing.T) {
	t.Parallel()
	pool := connect(t, pgtest.URL(t, migrated(shards)))
	store := openPool(t, pool)
	unit := storetest.WithKey(storetest.Unit(storetest.Accounts(1, shards, 1)[0], 1, 2), "k")
	_, err := storetest.Append(t.Context(), store, 1, unit)
	require.NoError(t, err)
	for _, statement := range []string{
		`UPDATE ledger.events SET data = '{}'`,
		`UPDATE ledger.events SET data = '{}' WHERE false`,
		`DELETE FROM ledger.events`,
		`TRUNCATE ledger.events`,
		`TRUNCATE ledger.events, ledger.outcomes CASCADE`,
		`INSERT INTO ledger.events SELECT * FROM ledger.events ON CONFLICT (shard, pos) DO UPDATE SET type = 'x'`,
		`UPDATE ledger.outcomes SET body = '{}'`,
		`DELETE FROM ledger.outcomes`,
		`TRUNCATE ledger.outcomes`,
		`UPDATE ledger.meta SET shards = 5`,
		`DELETE FROM ledger.meta`,
		`DELETE FROM ledger.shards`,
	} {
		for _, role := range []string{"origin", "replica"} {
			_, err := pool.Exec(t.Context(), `SET session_replication_role = `+role+`; `+statement)
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, statement)
			require.Equal(t, "23001", pg.Code, "%s: %s", statement, pg.Message)
			require.Contains(t, pg.Message, "never changed or deleted")
		}
	}
	require.Len(t, storetest.ReadAll(t, store, 1), 2)
}

// TestWhatIsNoHashIsAnError puts in by hand what no append could.
func TestWhatIsNoHashIsAnError(t *testing.T) {
	t.Parallel()
	pool := connect(t, pgtest.URL(t, migrated(shards)))
	store := openPool(t, pool)
	_, err := pool.Exec(t.Context(), `INSERT INTO ledger.events
	(pos, version, recorded_at, shard, stream_id, chain_hash, stream, type, data, metadata)
VALUES (1, 1, now(), 1, ledger.stream_id(1::smallint, 's'), 'short', 's', 't', '{}', '{}')`)
	require.NoError(t, err)
	_, err = store.ReadShard(t.Context(), 1, 0, 1)
	require.ErrorContains(t, err, "event 1:1: a hash of 5 bytes")
	_, err = pool.Exec(t.Context(), `UPDATE ledger.shards SET chain = 'short' WHERE shard = 1`)
	require.NoError(t, err)
	_, err = store.Heads(t.Context())
	require.ErrorContains(t, err, "shard 1: a hash of 5 bytes")
	_, err = storetest.Append(t.Context(), store, 1, storetest.Unit(storetest.Accounts(1, shards, 1)[0], 1, 1))
	require.ErrorContains(t, err, "the head of shard 1 is no hash")
}

func TestAppendNeedsReadCommitted(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, migrated(shards))
	pool := connect(t, url)
	_, err := pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE format(
'ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`)
	require.NoError(t, err)
	store := openPool(t, connect(t, url))
	unit := storetest.Unit(storetest.Accounts(0, shards, 1)[0], 1, 1)
	_, err = storetest.Append(t.Context(), store, 0, unit)
	require.ErrorContains(t, err, "READ COMMITTED")
}

func TestNumberOfShardsIsFixed(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, migrated(shards))
	pool := connect(t, url)
	_, err := postgres.Open(t.Context(), postgres.Config{Pool: pool, Shards: shards + 1})
	require.ErrorContains(t, err, "created with 4 shards, which cannot change to 5")
	require.ErrorContains(t, postgres.Migrate(t.Context(), url, shards+1), "cannot change to 5")
	store, err := postgres.Open(t.Context(), postgres.Config{Pool: pool})
	require.NoError(t, err)
	require.Equal(t, shards, store.Shards())
	require.NotEmpty(t, store.ID())
}

func TestMigrateAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	var g errgroup.Group
	for range 5 {
		g.Go(func() error { return postgres.Migrate(t.Context(), url, shards) })
	}
	require.NoError(t, g.Wait())
	pool := connect(t, url)
	store := openPool(t, pool)
	unit := storetest.Unit(storetest.Accounts(2, shards, 1)[0], 1, 3)
	_, err := storetest.Append(t.Context(), store, 2, unit)
	require.NoError(t, err)
	require.NoError(t, postgres.Migrate(t.Context(), url+"&pool_max_conns=2", shards))
	require.Len(t, storetest.ReadAll(t, store, 2), 3)
	var versions int
	require.NoError(t, pool.QueryRow(t.Context(),
		`SELECT count(*) FROM ledger.migrations WHERE version_id > 0 AND is_applied`).Scan(&versions))
	files, err := os.ReadDir("migrations")
	require.NoError(t, err)
	require.Len(t, files, versions, "as many as there are files")
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := postgres.Open(t.Context(), postgres.Config{Shards: -1})
	require.ErrorContains(t, err, "pool")
	require.ErrorContains(t, err, "-1 shards")
	_, err = postgres.Open(t.Context(), postgres.Config{Pool: pgtest.New(t, pgtest.Schema{})})
	require.ErrorContains(t, err, "migrate it first")
	require.ErrorContains(t, postgres.Migrate(t.Context(), "postgres://127.0.0.1:1/", 0), "0 shards")
}
