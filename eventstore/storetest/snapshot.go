package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
)

// testSnapshots is for stores that keep snapshots as well; all of ours do.
func testSnapshots(t *testing.T, s *suite) {
	kept, ok := s.store.(eventstore.Snapshots)
	require.True(t, ok)
	snapshot := func(stream string, version int64, state string) eventstore.Snapshot {
		return eventstore.Snapshot{
			StreamVersion: eventstore.StreamVersion{Stream: stream, Version: version}, Shard: s.shard, Format: 7,
			State: []byte(state),
		}
	}
	elsewhere := snapshot("account-d", 3, `{"n": 3}`)
	elsewhere.Shard--
	save := func(all ...eventstore.Snapshot) { require.NoError(t, kept.SaveSnapshots(t.Context(), all)) }
	save()
	save(snapshot("account-a", 10, `{"n": 10}`), snapshot("account-b", 5, `{"n": 5}`), elsewhere)
	save(snapshot("account-a", 18, `{"n": 18}`), snapshot("account-a", 20, `{"n": 20}`),
		snapshot("account-a", 19, `{"n": 19}`))
	save(snapshot("account-a", 15, `{"n": 15}`)) // of a process that was behind

	found, err := kept.LoadSnapshots(t.Context(), s.shard, []string{"account-a", "account-c"})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Snapshot{snapshot("account-a", 20, `{"n": 20}`)}, found)
	found, err = kept.LoadSnapshots(t.Context(), s.shard-1, []string{"account-a", "account-d"})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Snapshot{elsewhere}, found, "another shard")
	elsewhere.Shard = -1
	require.Error(t, kept.SaveSnapshots(t.Context(), []eventstore.Snapshot{elsewhere}))
	require.Empty(t, ReadAll(t, s.store, s.shard), "they are no part of the record")
}
