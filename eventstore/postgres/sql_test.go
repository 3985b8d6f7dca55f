package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// TestStatementsFitTheSchema prepares every statement against the migrated schema.
func TestStatementsFitTheSchema(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, pgtest.Schema{
		Hash:    MigrationHash() + "-4",
		Migrate: func(ctx context.Context, url string) error { return Migrate(ctx, url, 4) },
	})
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	for name, sql := range map[string]string{
		"append": appendSQL, "append reads": appendReadsSQL, "append only": appendOnlySQL,
		"heads": headsSQL, "open": openSQL, "outcomes": outcomesSQL,
		"read shard": readShardSQL, "read streams": readStreamsSQL, "lock": lockSQL,
		"load snapshots": loadSnapshotsSQL, "save a snapshot": saveSnapshotsSQL,
		"create schema": createSchemaSQL, "create": createSQL, "select shards": selectShardsSQL,
	} {
		_, err := conn.Conn().Prepare(t.Context(), name, sql)
		require.NoError(t, err, name)
	}
}

// TestAppendTakesBackItsHeads appends on two heads of which one is not known any more. In a savepoint, which has a
// number of its own, ledger.append cannot tell which rows it has changed, and says so.
func TestAppendTakesBackItsHeads(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	require.NoError(t, Migrate(t.Context(), url, 4))
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	store, err := Open(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	batches := make([]eventstore.Batch, 2)
	for shard := range batches {
		unit := storetest.Unit(storetest.Accounts(shard, 4, 1)[0], 1, 1)
		batches[shard] = eventstore.Batch{Shard: shard, Known: &eventstore.Head{}, Units: []eventstore.Unit{unit}}
	}
	_, err = store.Append(t.Context(), batches[1:])
	require.NoError(t, err)
	before, err := store.Heads(t.Context())
	require.NoError(t, err)

	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	savepoint, err := tx.Begin(t.Context())
	require.NoError(t, err)
	_, err = newColumns(batches, []int{0, 1}).append(t.Context(), savepoint.Conn())
	require.ErrorContains(t, err, "only statement of its transaction")
	require.NoError(t, tx.Rollback(t.Context()))

	out, err := store.Append(t.Context(), batches)
	require.NoError(t, err)
	require.Equal(t, eventstore.StatusAppended, out[0].Results[0].Status)
	require.Equal(t, eventstore.StatusConflict, out[1].Results[0].Status)
	after, err := store.Heads(t.Context())
	require.NoError(t, err)
	require.Equal(t, out[0].After, after[0])
	require.Equal(t, before[1:], after[1:])
}

// TestAppendOutlivesAMigration gives the answer of ledger.append another type while a connection has it prepared.
func TestAppendOutlivesAMigration(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	require.NoError(t, Migrate(t.Context(), url, 1))
	pool, err := pgxpool.New(t.Context(), url+"&pool_max_conns=1")
	require.NoError(t, err)
	defer pool.Close()
	store, err := Open(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	one := func(version int64) []eventstore.Batch {
		unit := storetest.Unit(storetest.Account(0), version, 1)
		return []eventstore.Batch{{Units: []eventstore.Unit{unit}}}
	}
	_, err = store.Append(t.Context(), one(1))
	require.NoError(t, err)

	var function, attributes string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT pg_get_functiondef('ledger.append'::regproc),
		(SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
			FROM pg_attribute WHERE attrelid = 'ledger.appended'::regclass)`).Scan(&function, &attributes))
	_, err = pool.Exec(t.Context(), "DROP FUNCTION ledger.append; DROP TYPE ledger.appended; "+
		"CREATE TYPE ledger.appended AS ("+attributes+"); "+function, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	out, err := store.Append(t.Context(), one(2))
	require.NoError(t, err)
	require.Equal(t, eventstore.StatusAppended, out[0].Results[0].Status)
}

func TestMigrationGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	require.NoError(t, up(t.Context(), db))
	_, err = Open(t.Context(), Config{Pool: pool})
	require.ErrorContains(t, err, "migrate again")

	require.NoError(t, Migrate(t.Context(), url, 4))
	store, err := Open(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	heads, err := store.Heads(t.Context())
	require.NoError(t, err)
	require.Equal(t, make([]eventstore.Head, 4), heads)
}
