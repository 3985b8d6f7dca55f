package storetest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Refused is a call that every store refuses with CodeInvalid.
type Refused struct {
	Name    string
	Reason  string // part of the refusal's message
	NotJSON bool   // only the store itself can tell
	Batches []eventstore.Batch
}

// notJSON is the reason of refusals that depend on what the bytes hold.
const notJSON = "is not JSON"

// RefusedCalls returns a refused call of each kind for a ledger with this many shards. Each breaks one rule only.
func RefusedCalls(shards int) []Refused {
	shard := shards - 1
	a := Accounts(shard, shards, eventstore.UnitsMax+1)
	many := make([]eventstore.Unit, len(a))
	for i, account := range a {
		many[i] = Unit(account, 1, 1)
	}
	one, full := many[:1], Unit(a[0], 1, eventstore.EventsMax)
	ofOne := eventstore.Unit{Account: a[0], Events: Events("generation-x", 1, 1)}
	sameStream := eventstore.Unit{Account: a[1], Events: Events(eventstore.AccountStream(a[0]), 2, 1)}
	outcomes := eventstore.Unit{
		Account: a[0], Outcomes: slices.Repeat([]eventstore.NewOutcome{Outcome("k", 0)}, eventstore.EventsMax+1),
	}
	in := func(name, reason string, shard int, units []eventstore.Unit) Refused {
		return Refused{Name: name, Reason: reason, Batches: []eventstore.Batch{{Shard: shard, Units: units}}}
	}
	calls := []Refused{
		in("shard below 0", "shard -1", -1, one),
		in("shard beyond the last", "of a ledger with", shards, one),
		in("account of another shard", "is not of shard 0", 0, one),
		in("two units of an account", "has two units", shard, []eventstore.Unit{many[0], ofOne}),
		in("two units of a stream", "two units of one append write", shard, []eventstore.Unit{many[0], sameStream}),
		in("empty unit", "is empty", shard, []eventstore.Unit{{Account: a[0]}}),
		in("too many events", "events or outcomes in one append", shard, []eventstore.Unit{full, many[1]}),
		in("too many outcomes", "events or outcomes in one append", shard, []eventstore.Unit{outcomes}),
		in("too many units", "1025 units", shard, many),
	}
	for _, s := range slices.Concat(spoiltEvents(), spoiltOutcomes()) {
		u := WithKey(Unit(a[0], 1, 2), "k")
		s.spoil(&u)
		call := in(s.name, s.reason, shard, []eventstore.Unit{u})
		call.NotJSON = s.reason == notJSON
		calls = append(calls, call)
	}
	half := eventstore.Batch{Shard: shard, Units: many[:1]}
	return append(calls,
		Refused{Name: "a shard twice", Reason: "two batches", Batches: []eventstore.Batch{half, half}},
		Refused{Name: "too many events in all", Reason: "events or outcomes", Batches: []eventstore.Batch{
			{Shard: 0, Units: []eventstore.Unit{Unit(Accounts(0, shards, 1)[0], 1, eventstore.EventsMax)}}, half,
		}})
}

// spoilt is a way to spoil a unit with two events and one outcome.
type spoilt struct {
	name, reason string
	spoil        func(*eventstore.Unit)
}

func spoiltEvents() []spoilt {
	change := func(name, reason string, change func(*eventstore.NewEvent)) spoilt {
		return spoilt{name, reason, func(u *eventstore.Unit) { change(&u.Events[1]) }}
	}
	data := func(name, reason string, data []byte) spoilt {
		return change(name, reason, func(e *eventstore.NewEvent) { e.Data = data })
	}
	stream := func(name, stream string) spoilt {
		return change(name, "stream must be", func(e *eventstore.NewEvent) { e.Stream = stream })
	}
	return []spoilt{
		{"no account", "account id", func(u *eventstore.Unit) { u.Account = "" }},
		{"malformed account", "account id", func(u *eventstore.Unit) { u.Account += "\x00" }},
		change("version 0", "version 0 of", func(e *eventstore.NewEvent) { e.Stream, e.Version = "s", 0 }),
		change("skipped version", "version 3 of", func(e *eventstore.NewEvent) { e.Version = 3 }),
		change("repeated version", "version 1 of", func(e *eventstore.NewEvent) { e.Version = 1 }),
		stream("no stream", ""),
		stream("long stream", strings.Repeat("x", eventstore.StreamBytesMax+1)),
		stream("stream with NUL", "a\x00b"),
		stream("stream not UTF-8", "a\xff"),
		change("no type", "event type must be", func(e *eventstore.NewEvent) { e.Type = "" }),
		change("long type", "event type must be", func(e *eventstore.NewEvent) {
			e.Type = strings.Repeat("x", eventstore.TypeBytesMax+1)
		}),
		data("no data", notJSON, nil),
		data("data not JSON", notJSON, []byte(`{"a":}`)),
		data("data with NUL", notJSON, []byte("\"\x00\"")),
		data("data not UTF-8", notJSON, []byte("\"\xff\"")),
		data("data too large", "an event of", jsonString(eventstore.EventBytesMax)),
		change("metadata not JSON", notJSON, func(e *eventstore.NewEvent) { e.Metadata = []byte(`x`) }),
		{"too many bytes in all", "bytes in one append", func(u *eventstore.Unit) {
			u.Events = Events("s", 1, eventstore.AppendBytesMax/eventstore.EventBytesMax+1)
			for i := range u.Events {
				u.Events[i].Data = jsonString(eventstore.EventBytesMax - len(u.Events[i].Metadata))
			}
		}},
	}
}

func spoiltOutcomes() []spoilt {
	change := func(name, reason string, change func(*eventstore.NewOutcome)) spoilt {
		return spoilt{name, reason, func(u *eventstore.Unit) { change(&u.Outcomes[0]) }}
	}
	key := func(name, key string) spoilt {
		return change(name, "idempotency key must be", func(o *eventstore.NewOutcome) { o.Key = key })
	}
	body := func(name, reason string, body []byte) spoilt {
		return change(name, reason, func(o *eventstore.NewOutcome) { o.Body = body })
	}
	return []spoilt{
		key("no key", ""),
		key("long key", strings.Repeat("x", eventstore.KeyBytesMax+1)),
		key("key with NUL", "\x00"),
		key("key not UTF-8", "\xff"),
		{"key twice", "two outcomes for one", func(u *eventstore.Unit) { u.Outcomes = append(u.Outcomes, u.Outcomes[0]) }},
		change("outcome of no event", "after 3 of 2", func(o *eventstore.NewOutcome) { o.Events = 3 }),
		{"two outcomes of one event", "follows one after 2", func(u *eventstore.Unit) {
			u.Outcomes = append(u.Outcomes, Outcome("other", 2))
		}},
		change("outcome below 0", "after -1 of 2", func(o *eventstore.NewOutcome) { o.Events = -1 }),
		change("an event that others caused", "3 of 2 events of its own", func(o *eventstore.NewOutcome) { o.Span = 3 }),
		change("no event of its own", "0 of 2 events of its own", func(o *eventstore.NewOutcome) { o.Span = 0 }),
		{"an event of the command before", "2 of 2 events of its own", func(u *eventstore.Unit) {
			u.Outcomes = []eventstore.NewOutcome{Outcome("first", 1), Outcome("second", 2)}
			u.Outcomes[1].Span = 2
		}},
		{"told by nothing", "nothing tells", func(u *eventstore.Unit) {
			u.Outcomes = append(u.Outcomes, eventstore.NewOutcome{Key: "told by nothing"})
		}},
		body("no body", notJSON, []byte{}),
		body("body not JSON", notJSON, []byte(`{`)),
		body("body too large", "an outcome of", jsonString(eventstore.EventBytesMax+1)),
		{"too many bytes of outcomes", "bytes in one append", func(u *eventstore.Unit) {
			for i := range eventstore.AppendBytesMax/eventstore.EventBytesMax + 1 {
				o := Outcome(strings.Repeat("x", i+1), 0)
				o.Body = jsonString(eventstore.EventBytesMax)
				u.Outcomes = append(u.Outcomes, o)
			}
		}},
	}
}

// jsonString returns a JSON string of n bytes.
func jsonString(n int) []byte {
	b := bytes.Repeat([]byte("x"), n)
	b[0], b[n-1] = '"', '"'
	return b
}

func testRefusedCalls(t *testing.T, s *suite) {
	for _, call := range RefusedCalls(s.store.Shards()) {
		results, err := s.store.Append(t.Context(), call.Batches)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%s: %v", call.Name, err)
		require.ErrorContains(t, err, call.Reason, call.Name)
		require.Empty(t, results)
	}
	good := WithKey(Unit(s.b, 1, 1), "k")
	bad := Unit(s.a, 0, 1)
	_, err := Append(t.Context(), s.store, s.shard, good, bad)
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	for shard := range s.store.Shards() {
		require.Empty(t, ReadAll(t, s.store, shard))
	}
	_, ok := outcomeOf(t, s.store, s.b, "k")
	require.False(t, ok)
}
