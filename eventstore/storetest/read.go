package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

func testReadShardPages(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 4), Unit(s.b, 1, 3))
	for _, limit := range []int{1, 2, 7, 8} {
		var pos []int64
		for after := int64(0); ; {
			page, err := s.store.ReadShard(t.Context(), s.shard, after, limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), limit)
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				pos = append(pos, e.Pos)
			}
			after = pos[len(pos)-1]
		}
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7}, pos)
	}
	beyond, err := s.store.ReadShard(t.Context(), s.shard, 1<<40, 1)
	require.NoError(t, err)
	require.Empty(t, beyond)
	other, err := s.store.ReadShard(t.Context(), 0, 0, 10)
	require.NoError(t, err)
	require.Empty(t, other)
}

// testReadStreamsPages uses names whose order differs between bytes and most languages.
func testReadStreamsPages(t *testing.T, s *suite) {
	names := []string{"B", "a", "a-b", "aa", "é", "펭"}
	unit := eventstore.Unit{Account: s.a}
	for _, name := range []string{"펭", "aa", "a-b", "é", "a", "B"} {
		unit.Events = append(unit.Events, Events(name, 1, 3)...)
	}
	mustAppend(t, s.store, s.shard, unit)
	type place = eventstore.StreamVersion
	var want []place
	for _, name := range names {
		want = append(want, place{Stream: name, Version: 2}, place{Stream: name, Version: 3})
	}
	for _, limit := range []int{1, 5, 12, 100} {
		after := []place{{Stream: "missing"}, {Stream: "aaa", Version: 7}}
		for _, name := range slices.Backward(names) {
			after = append(after, place{Stream: name, Version: 1})
		}
		var got []place
		for {
			page, err := s.store.ReadStreams(t.Context(), s.shard, after, limit)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), limit)
			for _, e := range page {
				got = append(got, place{Stream: e.Stream, Version: e.Version})
				i := slices.IndexFunc(after, func(a place) bool { return a.Stream == e.Stream })
				after[i].Version = e.Version
			}
		}
		require.Equal(t, want, got)
	}
}

func testReadStreamsOfShard(t *testing.T, s *suite) {
	other := Accounts(0, s.store.Shards(), 1)[0]
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 1))
	mustAppend(t, s.store, 0, Unit(other, 1, 2))
	after := []eventstore.StreamVersion{
		{Stream: eventstore.AccountStream(s.a)}, {Stream: eventstore.AccountStream(other)},
	}
	for shard, n := range map[int]int{0: 2, s.shard: 1} {
		events, err := s.store.ReadStreams(t.Context(), shard, after, 10)
		require.NoError(t, err)
		require.Equal(t, ReadAll(t, s.store, shard), events)
		require.Len(t, events, n)
	}
}

func testHeads(t *testing.T, s *suite) {
	for shard := range s.store.Shards() {
		account := Accounts(shard, s.store.Shards(), 1)[0]
		result := mustAppend(t, s.store, shard, Unit(account, 1, shard+1))[0]
		require.Equal(t, appended(1), result, "every shard counts from 1")
	}
	heads, err := s.store.Heads(t.Context())
	require.NoError(t, err)
	require.Len(t, heads, s.store.Shards())
	for shard, head := range heads {
		events := ReadAll(t, s.store, shard)
		last := events[len(events)-1]
		require.Len(t, events, shard+1)
		require.Equal(t, eventstore.Head{Pos: last.Pos, Chain: last.Chain}, head)
	}
}

func testRefusedReads(t *testing.T, s *suite) {
	read := func(shard, limit int, after ...eventstore.StreamVersion) {
		t.Helper()
		_, err := s.store.ReadStreams(t.Context(), shard, after, limit)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%v", err)
	}
	for _, shard := range []int{-1, s.store.Shards()} {
		read(shard, 1)
		_, err := s.store.ReadShard(t.Context(), shard, 0, 1)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	}
	for _, limit := range []int{-1, 0, eventstore.ReadMax + 1} {
		read(s.shard, limit)
		_, err := s.store.ReadShard(t.Context(), s.shard, 0, limit)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	}
	read(s.shard, 1, eventstore.StreamVersion{Stream: "s"}, eventstore.StreamVersion{Stream: "s", Version: 1})
	read(s.shard, 1, eventstore.StreamVersion{Stream: "\x00"})
	read(s.shard, 1, make([]eventstore.StreamVersion, eventstore.StreamsMax+1)...)
}

func testCancelled(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Append(ctx, s.store, s.shard, WithKey(Unit(s.a, 2, 1), "k"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.store.ReadShard(ctx, s.shard, 0, 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.store.ReadStreams(ctx, s.shard, []eventstore.StreamVersion{{Stream: "s"}}, 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.store.Heads(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = FindOutcome(ctx, s.store, s.a, "k")
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, ReadAll(t, s.store, s.shard), 1)
	_, ok := outcomeOf(t, s.store, s.a, "k")
	require.False(t, ok)
}
