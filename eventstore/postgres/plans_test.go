package postgres_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// A statement is planned when the ledger is small, and the plan may outlive that by a million events: so already a
// ledger of a few pages is read by its indexes.
func TestPlansOfASmallLedger(t *testing.T) {
	t.Parallel()
	pool := connect(t, pgtest.URL(t, migrated(1))+"&pool_max_conns=1") // whose counters can be asked for
	store := openPool(t, pool)

	const accounts = 30
	var snapshots []eventstore.Snapshot
	var keys []eventstore.OutcomeKey
	var streams []eventstore.StreamVersion
	var names []string
	for n := range accounts {
		a := storetest.Account(n)
		key := fmt.Sprint("key ", n)
		unit := storetest.WithKey(storetest.Unit(a, 1, 2), key)
		unit.Outcomes = append(unit.Outcomes, storetest.Outcome("refused "+key, 0))
		_, err := store.Append(t.Context(), []eventstore.Batch{{Units: []eventstore.Unit{unit}}})
		require.NoError(t, err)
		keys = append(keys, eventstore.OutcomeKey{Account: a, Key: key})
		streams = append(streams, eventstore.StreamVersion{Stream: eventstore.AccountStream(a)})
		names = append(names, eventstore.AccountStream(a))
		snapshots = append(snapshots, eventstore.Snapshot{
			StreamVersion: eventstore.StreamVersion{Stream: names[n], Version: 2}, State: []byte("{}"),
		})
	}
	require.NoError(t, store.SaveSnapshots(t.Context(), snapshots))
	_, err := pool.Exec(t.Context(), "ANALYZE")
	require.NoError(t, err)

	before := scans(t, pool)
	for range 10 { // more often than a statement is planned for its values alone
		found, err := store.Outcomes(t.Context(), keys[:10])
		require.NoError(t, err)
		require.Len(t, found, 10)
		read, err := store.ReadStreams(t.Context(), 0, streams[:10], eventstore.ReadMax)
		require.NoError(t, err)
		require.Len(t, read, 20)
		loaded, err := store.LoadSnapshots(t.Context(), 0, names[:10])
		require.NoError(t, err)
		require.Len(t, loaded, 10)
		page, err := store.ReadShard(t.Context(), 0, 10, 10)
		require.NoError(t, err)
		require.Len(t, page, 10)
	}
	require.Equal(t, before, scans(t, pool))
}

// scans returns how often each table of the ledger that grows was read from one end to the other.
func scans(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	_, err := pool.Exec(t.Context(), "SELECT pg_stat_force_next_flush()")
	require.NoError(t, err)
	var out string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname)
		FROM pg_stat_user_tables WHERE schemaname = 'ledger' AND relname IN ('events', 'outcomes', 'snapshots')`).Scan(&out))
	return out
}
