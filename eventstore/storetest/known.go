package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
)

// known appends units on the head that the caller knows.
func known(t *testing.T, s *suite, head eventstore.Head, units ...eventstore.Unit) eventstore.Appended {
	t.Helper()
	out, err := s.store.Append(t.Context(), []eventstore.Batch{{Shard: s.shard, Known: &head, Units: units}})
	require.NoError(t, err)
	return out[0]
}

func headOf(t *testing.T, s *suite) eventstore.Head {
	t.Helper()
	heads, err := s.store.Heads(t.Context())
	require.NoError(t, err)
	return heads[s.shard]
}

func testKnownHead(t *testing.T, s *suite) {
	var head eventstore.Head
	for round := range int64(4) {
		got := known(t, s, head, Unit(s.a, 2*round+1, 2), WithKey(Unit(s.b, round+1, 1), "k"+string(rune('0'+round))))
		require.Equal(t, []eventstore.Result{appended(3*round + 1), appended(3*round + 3)}, got.Results)
		require.Equal(t, head, got.Before)
		require.Equal(t, headOf(t, s), got.After)
		head = got.After
	}
	require.Len(t, ReadAll(t, s.store, s.shard), 12)
	o, ok := outcomeOf(t, s.store, s.b, "k2")
	require.True(t, ok)
	require.EqualValues(t, 9, o.Position.Pos)
}

// What the caller knows is no longer true: everything is looked at, and what is still right is appended.
func testOldHead(t *testing.T, s *suite) {
	old := known(t, s, eventstore.Head{}, Unit(s.a, 1, 1)).After
	now := known(t, s, old, Unit(s.b, 1, 2)).After
	for _, head := range []eventstore.Head{{}, old, {Pos: now.Pos}, {Pos: now.Pos + 1, Chain: now.Chain}} {
		got := known(t, s, head, Unit(s.a, 1, 1))
		require.Equal(t, conflict(), got.Results[0])
		require.Equal(t, []eventstore.Head{now, now}, []eventstore.Head{got.Before, got.After})
	}
	got := known(t, s, old, Unit(s.a, 2, 1), Unit(s.b, 1, 1))
	require.Equal(t, []eventstore.Result{appended(4), conflict()}, got.Results)
	require.Equal(t, now, got.Before)
	require.Equal(t, headOf(t, s), got.After)
	ReadAll(t, s.store, s.shard)
}

// Who knows an old head is told what it has missed, and who asks for it has every stream looked at.
func testMissed(t *testing.T, s *suite) {
	first := known(t, s, eventstore.Head{}, Unit(s.a, 1, 1))
	require.Empty(t, first.Missed)
	second := known(t, s, first.After, Unit(s.b, 1, 2), WithKey(Unit(s.a, 2, 1), "k"))
	require.Empty(t, second.Missed)
	want := func(from int) []eventstore.Envelope {
		all := ReadAll(t, s.store, s.shard)[from:]
		for i := range all {
			all[i].RecordedAt, all[i].Chain = time.Time{}, eventstore.Hash{}
		}
		return all
	}
	require.Equal(t, want(1), known(t, s, first.After, Unit(s.c, 1, 1)).Missed)
	require.Equal(t, want(0)[:5], known(t, s, eventstore.Head{}, Unit(s.c, 1, 1)).Missed)
	require.Empty(t, known(t, s, eventstore.Head{Pos: 2, Chain: first.After.Chain}, Unit(s.c, 1, 1)).Missed,
		"of another past")
	require.Empty(t, known(t, s, eventstore.Head{Pos: 99}, Unit(s.c, 1, 1)).Missed)

	head := headOf(t, s)
	out, err := s.store.Append(t.Context(), []eventstore.Batch{
		{Shard: s.shard, Known: &head, Check: true, Units: []eventstore.Unit{Unit(s.a, 2, 1), Unit(s.b, 3, 1)}},
	})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Result{conflict(), appended(head.Pos + 1)}, out[0].Results)
	mustAppend(t, s.store, s.shard, Unit(s.a, 3, eventstore.MissedMax-1))
	late := known(t, s, head, Unit(s.b, 3, 1))
	require.Equal(t, conflict(), late.Results[0])
	require.Len(t, late.Missed, eventstore.MissedMax)
	mustAppend(t, s.store, s.shard, Unit(s.b, 4, 1))
	late = known(t, s, head, Unit(s.b, 3, 1))
	require.Equal(t, conflict(), late.Results[0])
	require.Empty(t, late.Missed, "too much")
}

// A key is found whatever the caller knows, in all four combinations of outcomes with events and without.
func testKeysOnKnownHead(t *testing.T, s *suite) {
	refusal := func(key string) eventstore.Unit {
		return eventstore.Unit{Account: s.a, Outcomes: []eventstore.NewOutcome{Outcome(key, 0)}}
	}
	head := known(t, s, eventstore.Head{}, WithKey(Unit(s.a, 1, 1), "done")).After
	require.Equal(t, appended(1), known(t, s, head, refusal("refused")).Results[0])
	for _, key := range []string{"done", "refused"} {
		for _, again := range []eventstore.Unit{refusal(key), WithKey(Unit(s.a, 2, 1), key)} {
			got := known(t, s, head, again, Unit(s.b, 1, 1))
			require.Equal(t, duplicate(), got.Results[0], key)
			if got.Results[1].Status == eventstore.StatusAppended {
				require.NotEqual(t, head, got.After)
				head = got.After
			}
		}
	}
	require.Len(t, ReadAll(t, s.store, s.shard), 2)
}

// Batches of several shards in one call stand alone, in whatever order they come.
func testSeveralShards(t *testing.T, s *suite) {
	first := Accounts(0, s.store.Shards(), 2)
	mustAppend(t, s.store, 0, Unit(first[0], 1, 1))
	out, err := s.store.Append(t.Context(), []eventstore.Batch{
		{Shard: s.shard, Known: &eventstore.Head{}, Units: []eventstore.Unit{Unit(s.b, 1, 2), WithKey(Unit(s.a, 1, 1), "k")}},
		{Shard: 0, Known: &eventstore.Head{}, Units: []eventstore.Unit{Unit(first[0], 1, 1), Unit(first[1], 1, 2)}},
	})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Result{appended(1), appended(3)}, out[0].Results)
	require.Equal(t, []eventstore.Result{conflict(), appended(2)}, out[1].Results)
	heads, err := s.store.Heads(t.Context())
	require.NoError(t, err)
	require.Equal(t, []eventstore.Head{heads[s.shard], heads[0]}, []eventstore.Head{out[0].After, out[1].After})
	require.EqualValues(t, 1, out[1].Before.Pos)
	ReadAll(t, s.store, 0)
	require.Len(t, ReadAll(t, s.store, s.shard), 3)

	again, err := s.store.Append(t.Context(), []eventstore.Batch{
		{Shard: 0, Known: &out[1].After, Units: []eventstore.Unit{Unit(first[0], 2, 1)}},
		{Shard: s.shard, Known: &out[0].After, Units: []eventstore.Unit{WithKey(Unit(s.a, 2, 1), "k"), Unit(s.c, 1, 1)}},
	})
	require.NoError(t, err)
	require.Equal(t, []eventstore.Result{appended(4)}, again[0].Results)
	require.Equal(t, []eventstore.Result{duplicate(), appended(4)}, again[1].Results)
	ReadAll(t, s.store, 0)
	ReadAll(t, s.store, s.shard)
}
