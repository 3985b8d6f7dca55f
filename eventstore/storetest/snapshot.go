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
			StreamVersion: eventstore.StreamVersion{Stream: stream, Version: version}, Format: 7, State: []byte(state),
		}
	}
	save := func(s2 eventstore.Snapshot) { require.NoError(t, kept.SaveSnapshot(t.Context(), s.shard, s2)) }
	save(snapshot("account-a", 10, `{"n": 10}`))
	save(snapshot("account-b", 5, `{"n": 5}`))
	save(snapshot("account-a", 20, `{"n": 20}`))
	save(snapshot("account-a", 15, `{"n": 15}`)) // of a process that was behind

	found, err := kept.LoadSnapshots(t.Context(), s.shard, []string{"account-a", "account-c"})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Snapshot{snapshot("account-a", 20, `{"n": 20}`)}, found)
	none, err := kept.LoadSnapshots(t.Context(), s.shard-1, []string{"account-a"})
	require.NoError(t, err)
	require.Empty(t, none, "another shard")
	require.Empty(t, ReadAll(t, s.store, s.shard), "they are no part of the record")
}
