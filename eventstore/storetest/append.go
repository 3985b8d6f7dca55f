package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
)

func testEmptyLedger(t *testing.T, s *suite) {
	require.Empty(t, ReadAll(t, s.store, s.shard))
	require.Empty(t, mustAppend(t, s.store, s.shard))
	_, ok := outcomeOf(t, s.store, s.a, "k")
	require.False(t, ok)
	_, ok = outcomeOf(t, s.store, "", "\x00")
	require.False(t, ok)
	events, err := s.store.ReadStreams(t.Context(), s.shard, nil, 1)
	require.NoError(t, err)
	require.Empty(t, events)
}

func testAppendAndRead(t *testing.T, s *suite) {
	unit := Unit(s.a, 1, 2)
	unit.Events[1].Type = "test.other.v2"
	before := time.Now().Add(-time.Hour) // the clock of a database may differ
	require.Equal(t, []eventstore.Result{appended(1)}, mustAppend(t, s.store, s.shard, unit))
	require.Equal(t, []eventstore.Result{appended(3)}, mustAppend(t, s.store, s.shard, Unit(s.a, 3, 1)))

	events := ReadAll(t, s.store, s.shard)
	require.Len(t, events, 3)
	want := append(slices.Clone(unit.Events), Event(eventstore.AccountStream(s.a), 3))
	for i, e := range events {
		require.Equal(t, want[i], e.New())
		require.Equal(t, eventstore.Position{Shard: s.shard, Pos: int64(i + 1)}, e.Position())
		require.Equal(t, time.UTC, e.RecordedAt.Location())
		require.WithinRange(t, e.RecordedAt, before, before.Add(2*time.Hour))
	}
	streams, err := s.store.ReadStreams(t.Context(), s.shard,
		[]eventstore.StreamVersion{{Stream: eventstore.AccountStream(s.a)}}, 10)
	require.NoError(t, err)
	require.Equal(t, events, streams)
}

func testOutcomesToldByEvents(t *testing.T, s *suite) {
	unit := Unit(s.a, 1, 6)
	for i, span := range []int{1, 3} {
		o := Outcome(fmt.Sprint("told ", i), 1+4*i)
		o.Body, o.Span = nil, span
		unit.Outcomes = append(unit.Outcomes, o)
	}
	mustAppend(t, s.store, s.shard, Unit(s.b, 1, 2), unit)
	all := ReadAll(t, s.store, s.shard)
	for i, want := range [][]eventstore.Envelope{all[2:3], all[4:7]} {
		o, ok := outcomeOf(t, s.store, s.a, fmt.Sprint("told ", i))
		require.True(t, ok)
		require.Nil(t, o.Body)
		require.Equal(t, want, o.Events)
		require.Equal(t, want[len(want)-1].Position(), o.Position)
	}
	o, _ := outcomeOf(t, s.store, s.a, "told 1")
	key := eventstore.OutcomeKey{Account: s.a, Key: "told 1"}
	twice, err := s.store.Outcomes(t.Context(), []eventstore.OutcomeKey{key, key})
	require.NoError(t, err)
	require.Equal(t, map[eventstore.OutcomeKey]eventstore.Outcome{key: o}, twice)
	clear(o.Events[0].Data)
	again, _ := outcomeOf(t, s.store, s.a, "told 1")
	require.Equal(t, all[4:7], again.Events, "what was written cannot be changed")
}

// A unit that only read a stream is refused like one that adds to it, once the stream has moved on.
func testReads(t *testing.T, s *suite) {
	stream := eventstore.AccountStream(s.a)
	reads := func(version int64) eventstore.Unit {
		return eventstore.Unit{Account: s.a, Reads: []eventstore.StreamVersion{{Stream: stream, Version: version}}}
	}
	status := func(u eventstore.Unit) eventstore.Status { return mustAppend(t, s.store, s.shard, u)[0].Status }
	require.Equal(t, eventstore.StatusAppended, status(reads(0)))
	require.Equal(t, eventstore.StatusConflict, status(reads(1)))
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 2))
	require.Equal(t, appended(2), mustAppend(t, s.store, s.shard, reads(2))[0])
	require.Equal(t, eventstore.StatusConflict, status(reads(0)))
	require.Equal(t, eventstore.StatusConflict, status(reads(1)))
	require.Equal(t, eventstore.StatusConflict, status(reads(3)))

	stale := WithKey(reads(1), "k")
	require.Equal(t, eventstore.StatusConflict, status(stale))
	_, ok := outcomeOf(t, s.store, s.a, "k")
	require.False(t, ok, "the refusal was decided on an old state")
	stale.Reads[0].Version = 2
	require.Equal(t, eventstore.StatusAppended, status(stale))
	stale.Reads[0].Version = 1
	require.Equal(t, eventstore.StatusDuplicate, status(stale), "who asks again finds the outcome")
	require.Len(t, ReadAll(t, s.store, s.shard), 2)
}

func testSeveralStreams(t *testing.T, s *suite) {
	account, generation := eventstore.AccountStream(s.a), eventstore.GenerationStream(Generation(1))
	unit := eventstore.Unit{Account: s.a, Events: []eventstore.NewEvent{
		Event(generation, 1), Event(account, 1), Event(generation, 2), Event(account, 2), Event(account, 3),
	}}
	require.Equal(t, appended(1), mustAppend(t, s.store, s.shard, unit)[0])
	var got []eventstore.NewEvent
	for _, e := range ReadAll(t, s.store, s.shard) {
		got = append(got, e.New())
	}
	require.Equal(t, unit.Events, got)
}

func testAdjacentUnits(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 1))
	results := mustAppend(t, s.store, s.shard, Unit(s.c, 1, 3), Unit(s.a, 2, 1), Unit(s.b, 1, 2))
	require.Equal(t, []eventstore.Result{appended(2), appended(5), appended(6)}, results)
	var streams []string
	for _, e := range ReadAll(t, s.store, s.shard) {
		streams = append(streams, e.Stream)
	}
	a, b, c := eventstore.AccountStream(s.a), eventstore.AccountStream(s.b), eventstore.AccountStream(s.c)
	require.Equal(t, []string{a, c, c, c, a, b, b}, streams)
}

func testConflict(t *testing.T, s *suite) {
	generation := eventstore.GenerationStream(Generation(1))
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 1), Unit(s.b, 1, 1))
	torn := WithKey(Unit(s.a, 1, 1), "torn") // account-a is at 1 already, but the generation would be right
	torn.Events = append(torn.Events, Event(generation, 1))
	results := mustAppend(t, s.store, s.shard, torn, WithKey(Unit(s.b, 2, 2), "whole"), Unit(s.c, 1, 1))
	require.Equal(t, []eventstore.Result{conflict(), appended(3), appended(5)}, results)
	require.Equal(t, conflict(), mustAppend(t, s.store, s.shard, torn)[0])
	require.Len(t, ReadAll(t, s.store, s.shard), 5)
	_, ok := outcomeOf(t, s.store, s.a, "torn")
	require.False(t, ok)
	whole, ok := outcomeOf(t, s.store, s.b, "whole")
	require.True(t, ok)
	require.Equal(t, int64(4), whole.Position.Pos)

	torn.Events[0] = Event(eventstore.AccountStream(s.a), 2)
	require.Equal(t, appended(6), mustAppend(t, s.store, s.shard, torn)[0], "the generation was left alone")
}

func testWrongVersions(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, Unit(s.a, 1, 3))
	for _, version := range []int64{1, 2, 3, 5, 1 << 40} {
		require.Equal(t, conflict(), mustAppend(t, s.store, s.shard, Unit(s.a, version, 1))[0], version)
	}
	require.Equal(t, conflict(), mustAppend(t, s.store, s.shard, Unit(s.b, 2, 1))[0], "a stream begins at 1")
	require.Equal(t, appended(4), mustAppend(t, s.store, s.shard, Unit(s.a, 4, 1))[0])
	ReadAll(t, s.store, s.shard)
}

func testDuplicate(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, Unit(s.b, 1, 4), WithKey(Unit(s.a, 1, 2), "k"))
	again := WithKey(Unit(s.a, 3, 1), "k")
	again.Outcomes[0].Body = []byte(`"another answer"`)
	again.Outcomes[0].RequestHash = eventstore.HashRequest([]byte("another request"))
	results := mustAppend(t, s.store, s.shard, again, Unit(s.b, 5, 1))
	require.Equal(t, []eventstore.Result{duplicate(), appended(7)}, results)

	want := Outcome("k", 2)
	got, ok := outcomeOf(t, s.store, s.a, "k")
	require.True(t, ok)
	require.Equal(t, eventstore.Outcome{
		Key: "k", RequestHash: want.RequestHash, Body: want.Body,
		Position: eventstore.Position{Shard: s.shard, Pos: 6},
	}, got)
	require.Len(t, ReadAll(t, s.store, s.shard), 7)
}

func testDuplicateBeforeConflict(t *testing.T, s *suite) {
	unit := WithKey(Unit(s.a, 1, 2), "k")
	require.Equal(t, appended(1), mustAppend(t, s.store, s.shard, unit)[0])
	require.Equal(t, duplicate(), mustAppend(t, s.store, s.shard, unit)[0], "as after an answer that got lost")
	require.Len(t, ReadAll(t, s.store, s.shard), 2)
}

func testDuplicateAmongKeys(t *testing.T, s *suite) {
	mustAppend(t, s.store, s.shard, WithKey(Unit(s.a, 1, 1), "old"))
	unit := Unit(s.a, 2, 3)
	for i, key := range []string{"new", "old", "newer"} {
		unit.Outcomes = append(unit.Outcomes, Outcome(key, i+1))
	}
	require.Equal(t, duplicate(), mustAppend(t, s.store, s.shard, unit)[0])
	for _, key := range []string{"new", "newer"} {
		_, ok := outcomeOf(t, s.store, s.a, key)
		require.False(t, ok, key)
	}
	require.Len(t, ReadAll(t, s.store, s.shard), 1)
}

func testKeysOfAccounts(t *testing.T, s *suite) {
	results := mustAppend(t, s.store, s.shard, WithKey(Unit(s.a, 1, 1), "k"), WithKey(Unit(s.b, 1, 1), "k"))
	require.Equal(t, []eventstore.Result{appended(1), appended(2)}, results)
	require.Equal(t, appended(3), mustAppend(t, s.store, s.shard, WithKey(Unit(s.c, 1, 1), "k"))[0])
	for i, account := range Accounts(s.shard, s.store.Shards(), 3) {
		o, ok := outcomeOf(t, s.store, account, "k")
		require.True(t, ok)
		require.Equal(t, int64(i+1), o.Position.Pos)
	}
}

func testOutcomesWithoutEvents(t *testing.T, s *suite) {
	refused := func(key string) eventstore.Unit {
		return eventstore.Unit{Account: s.a, Outcomes: []eventstore.NewOutcome{Outcome(key, 0)}}
	}
	require.Equal(t, appended(0), mustAppend(t, s.store, s.shard, refused("first"))[0])
	results := mustAppend(t, s.store, s.shard, Unit(s.b, 1, 2), refused("second"), Unit(s.c, 1, 1))
	require.Equal(t, []eventstore.Result{appended(1), appended(2), appended(3)}, results)
	require.Equal(t, appended(3), mustAppend(t, s.store, s.shard, refused("third"))[0])
	require.Equal(t, duplicate(), mustAppend(t, s.store, s.shard, refused("first"))[0])
	require.Len(t, ReadAll(t, s.store, s.shard), 3)
	for _, key := range []string{"first", "second", "third"} {
		o, ok := outcomeOf(t, s.store, s.a, key)
		require.True(t, ok)
		require.Equal(t, Outcome(key, 0).Body, o.Body)
		require.Equal(t, eventstore.Position{}, o.Position)
	}
}

func testOutcomePositions(t *testing.T, s *suite) {
	unit := Unit(s.a, 1, 3)
	unit.Outcomes = []eventstore.NewOutcome{Outcome("zero", 0), Outcome("one", 1), Outcome("three", 3)}
	mustAppend(t, s.store, s.shard, Unit(s.b, 1, 5), unit)
	for key, pos := range map[string]int64{"one": 6, "three": 8} {
		o, ok := outcomeOf(t, s.store, s.a, key)
		require.True(t, ok)
		require.Equal(t, eventstore.Position{Shard: s.shard, Pos: pos}, o.Position, key)
	}
	o, ok := outcomeOf(t, s.store, s.a, "zero")
	require.True(t, ok)
	require.True(t, o.Position.IsZero())
}

func testExactBytes(t *testing.T, s *suite) {
	bodies := []string{
		`{}`, ` { "b" : 1 , "a" : 2, "a":3 } `, "\n[1e400,-0,0.10,123456789012345678901234567890]\t",
		`"\u0000 \ud83d \/ \u00e9"`, `"펭귄 🐧 é ` + "\u2028" + `"`, `null`, `true`, `""`,
		strings.Repeat("[", 500) + strings.Repeat("]", 500), `{"":{"":""}}`,
	}
	unit := Unit(s.a, 1, len(bodies))
	for i, body := range bodies {
		unit.Events[i].Data = []byte(body)
		unit.Events[i].Metadata = []byte(bodies[len(bodies)-1-i])
		unit.Events[i].Type = "type é.펭귄"
		o := Outcome("키 "+body[:1]+string(rune('a'+i)), i)
		o.Body = []byte(body)
		unit.Outcomes = append(unit.Outcomes, o)
	}
	mustAppend(t, s.store, s.shard, unit)
	for i, e := range ReadAll(t, s.store, s.shard) {
		require.Equal(t, unit.Events[i], e.New())
	}
	for i, want := range unit.Outcomes {
		o, ok := outcomeOf(t, s.store, s.a, want.Key)
		require.True(t, ok, want.Key)
		require.Equal(t, bodies[i], string(o.Body))
		require.Equal(t, want.RequestHash, o.RequestHash)
	}
}

func testBuffers(t *testing.T, s *suite) {
	unit := WithKey(Unit(s.a, 1, 1), "k")
	want := Event(eventstore.AccountStream(s.a), 1)
	mustAppend(t, s.store, s.shard, unit)
	clear(unit.Events[0].Data)
	clear(unit.Events[0].Metadata)
	clear(unit.Outcomes[0].Body)
	for range 2 {
		e := ReadAll(t, s.store, s.shard)[0]
		require.Equal(t, want, e.New())
		clear(e.Data)
		clear(e.Metadata)
		o, _ := outcomeOf(t, s.store, s.a, "k")
		require.Equal(t, Outcome("k", 1).Body, o.Body)
		clear(o.Body)
	}
}

func testLargestCall(t *testing.T, s *suite) {
	const each = eventstore.EventsMax / eventstore.UnitsMax
	accounts := Accounts(s.shard, s.store.Shards(), eventstore.UnitsMax)
	units := make([]eventstore.Unit, len(accounts))
	for i, a := range accounts {
		units[i] = WithKey(Unit(a, 1, each), "k")
	}
	for i, r := range mustAppend(t, s.store, s.shard, units...) {
		require.Equal(t, appended(int64(i*each+1)), r)
	}
	require.Len(t, ReadAll(t, s.store, s.shard), eventstore.EventsMax)
	page, err := s.store.ReadShard(t.Context(), s.shard, 0, eventstore.ReadMax)
	require.NoError(t, err)
	require.Len(t, page, eventstore.ReadMax)
}

func testLargestEvent(t *testing.T, s *suite) {
	unit := WithKey(Unit(s.a, 1, 1), strings.Repeat("k", eventstore.KeyBytesMax))
	unit.Events[0].Stream = strings.Repeat("s", eventstore.StreamBytesMax)
	unit.Events[0].Type = strings.Repeat("t", eventstore.TypeBytesMax)
	unit.Events[0].Data = jsonString(eventstore.EventBytesMax - len(unit.Events[0].Metadata))
	require.Equal(t, appended(1), mustAppend(t, s.store, s.shard, unit)[0])
	require.Equal(t, unit.Events[0], ReadAll(t, s.store, s.shard)[0].New())
}
