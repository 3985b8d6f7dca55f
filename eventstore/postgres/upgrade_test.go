package postgres

import (
	"crypto/sha256"
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// TestUpgradeKeepsWhatIsRecorded migrates a ledger with events and outcomes from the second version of the schema.
func TestUpgradeKeepsWhatIsRecorded(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	pool, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), createSchemaSQL)
	require.NoError(t, err)
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("ledger.migrations"))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 2)
	require.NoError(t, err)
	require.NoError(t, create(t.Context(), db, 4))

	const shard = 2
	account := storetest.Accounts(shard, 4, 1)[0]
	head := eventstore.Head{}
	events := storetest.Events(eventstore.AccountStream(account), 1, 3)
	for _, e := range events {
		leaf := eventstore.LeafHash(shard, e)
		head = eventstore.Head{Pos: head.Pos + 1, Chain: eventstore.ChainHash(head.Chain, head.Pos+1, leaf)}
		_, err = pool.Exec(t.Context(), `INSERT INTO ledger.events VALUES ($1, $2, $3, $4, $5, $6, $7, now(), $8, $9)`,
			shard, head.Pos, e.Stream, e.Version, e.Type, string(e.Data), string(e.Metadata), leaf[:], head.Chain[:])
		require.NoError(t, err)
	}
	_, err = pool.Exec(t.Context(), `UPDATE ledger.shards SET pos = $2, chain = $3 WHERE shard = $1`,
		shard, head.Pos, head.Chain[:])
	require.NoError(t, err)
	done, refused := storetest.Outcome("done 키", 2), storetest.Outcome("refused", 0)
	for _, o := range []eventstore.NewOutcome{done, refused} {
		request := sha256.Sum256([]byte("request of " + o.Key))
		_, err = pool.Exec(t.Context(), `INSERT INTO ledger.outcomes
			VALUES ($1, $2, $3, $4, $5, NULLIF($6::bigint, 0), now())`,
			account, o.Key, request[:], string(o.Body), shard, o.Events)
		require.NoError(t, err)
	}

	require.NoError(t, Migrate(t.Context(), url, 4))
	pool.Reset() // what was prepared is of the old schema
	store, err := Open(t.Context(), Config{Pool: pool})
	require.NoError(t, err)
	var kept []eventstore.NewEvent
	for _, e := range storetest.ReadAll(t, store, shard) {
		kept = append(kept, e.New())
	}
	require.Equal(t, events, kept)
	found, err := store.ReadStreams(t.Context(), shard, []eventstore.StreamVersion{{Stream: events[0].Stream}}, 10)
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, want := range []eventstore.NewOutcome{done, refused} {
		o, ok, err := storetest.FindOutcome(t.Context(), store, account, want.Key)
		require.NoError(t, err)
		require.True(t, ok, want.Key)
		require.Equal(t, want.Body, o.Body)
		require.Equal(t, want.RequestHash, o.RequestHash)
		require.EqualValues(t, want.Events, o.Position.Pos)
		again := storetest.WithKey(storetest.Unit(account, 4, 1), want.Key)
		results, err := storetest.Append(t.Context(), store, shard, again)
		require.NoError(t, err)
		require.Equal(t, eventstore.StatusDuplicate, results[0].Status)
	}
	results, err := storetest.Append(t.Context(), store, shard, storetest.Unit(account, 4, 1))
	require.NoError(t, err)
	require.Equal(t, eventstore.Result{Status: eventstore.StatusAppended, First: 4}, results[0])
	_, err = pool.Exec(t.Context(), `UPDATE ledger.events SET type = 'x'`)
	require.ErrorContains(t, err, "never changed or deleted")
	storetest.ReadAll(t, store, shard)
}
