package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
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
		"append": appendSQL, "heads": headsSQL, "open": openSQL, "outcomes": outcomesSQL, "told": toldSQL,
		"read shard": readShardSQL, "read streams": readStreamsSQL, "lock": lockSQL,
		"load snapshots": loadSnapshotsSQL, "save a snapshot": saveSnapshotsSQL,
		"create schema": createSchemaSQL, "create": createSQL, "select shards": selectShardsSQL,
	} {
		_, err := conn.Conn().Prepare(t.Context(), name, sql)
		require.NoError(t, err, name)
	}
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
