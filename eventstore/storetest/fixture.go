package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// readPage is how many events ReadAll reads at once: few, so that every test pages.
const readPage = 100

// Account returns the account with this number. The same number gives the same account.
func Account(n int) domain.AccountID {
	return domain.AccountID(fmt.Sprintf("%s%026d", domain.PrefixAccount, n))
}

// Generation returns the generation with this number.
func Generation(n int) domain.GenerationID {
	return domain.GenerationID(fmt.Sprintf("%s%026d", domain.PrefixGeneration, n))
}

// Accounts returns the first n accounts, by number, that lie in the shard.
func Accounts(shard, shards, n int) []domain.AccountID {
	accounts := make([]domain.AccountID, 0, n)
	for i := 0; len(accounts) < n; i++ {
		if id := Account(i); eventstore.ShardOf(id, shards) == shard {
			accounts = append(accounts, id)
		}
	}
	return accounts
}

// Event returns an event for the stream.
func Event(stream string, version int64) eventstore.NewEvent {
	return eventstore.NewEvent{
		Stream: stream, Version: version, Type: "test.happened.v1",
		Data:     fmt.Appendf(nil, `{"amount":%d,"note":"event %d of %s"}`, version*10, version, stream),
		Metadata: []byte(`{"account":"","command":"test","actor":"system"}`),
	}
}

// Events returns n events for the stream, the first with this version.
func Events(stream string, first int64, n int) []eventstore.NewEvent {
	events := make([]eventstore.NewEvent, n)
	for i := range events {
		events[i] = Event(stream, first+int64(i))
	}
	return events
}

// Unit returns n events for the account's own stream, the first with this version.
func Unit(account domain.AccountID, first int64, n int) eventstore.Unit {
	return eventstore.Unit{Account: account, Events: Events(eventstore.AccountStream(account), first, n)}
}

// Outcome returns the outcome of a command after this many events of its unit.
func Outcome(key string, events int) eventstore.NewOutcome {
	return eventstore.NewOutcome{
		Key: key, RequestHash: eventstore.HashRequest([]byte("request of " + key)), Events: events, Span: min(events, 1),
		Body: fmt.Appendf(nil, `{"answer": %q}`, key),
	}
}

// WithKey returns the unit with an outcome after all its events.
func WithKey(u eventstore.Unit, key string) eventstore.Unit {
	u.Outcomes = append(u.Outcomes, Outcome(key, len(u.Events)))
	return u
}

// ReadAll returns all events of the shard after it has verified positions, versions and hashes from the beginning.
func ReadAll(t testing.TB, store eventstore.Store, shard int) []eventstore.Envelope {
	t.Helper()
	v := newVerifier(shard)
	var all []eventstore.Envelope
	for {
		page, err := store.ReadShard(t.Context(), shard, v.head.Pos, readPage)
		require.NoError(t, err)
		require.NoError(t, v.verify(page))
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	heads, err := store.Heads(t.Context())
	require.NoError(t, err)
	require.Equal(t, v.head, heads[shard])
	return all
}

// verifier follows a shard event by event.
type verifier struct {
	shard    int
	head     eventstore.Head
	versions map[string]int64
}

func newVerifier(shard int) *verifier { return &verifier{shard: shard, versions: map[string]int64{}} }

func (v *verifier) verify(page []eventstore.Envelope) error {
	for _, e := range page {
		leaf := eventstore.LeafHash(v.shard, e.New())
		chain := eventstore.ChainHash(v.head.Chain, v.head.Pos+1, leaf)
		switch {
		case e.Shard != v.shard || e.Pos != v.head.Pos+1:
			return fmt.Errorf("position %s follows %d:%d", e.Position(), v.shard, v.head.Pos)
		case e.Version != v.versions[e.Stream]+1:
			return fmt.Errorf("%s: version %d of %s follows %d", e.Position(), e.Version, e.Stream, v.versions[e.Stream])
		case e.Chain != chain:
			return fmt.Errorf("%s: the hashes do not match the event", e.Position())
		case e.RecordedAt.IsZero():
			return fmt.Errorf("%s: no time of recording", e.Position())
		}
		v.head = eventstore.Head{Pos: e.Pos, Chain: chain}
		v.versions[e.Stream] = e.Version
	}
	return nil
}

// Append appends units to one shard and returns their results.
func Append(
	ctx context.Context, s eventstore.Store, shard int, units ...eventstore.Unit,
) ([]eventstore.Result, error) {
	out, err := s.Append(ctx, []eventstore.Batch{{Shard: shard, Units: units}})
	if err != nil {
		return nil, err
	}
	return out[0].Results, nil
}

// mustAppend appends and returns the results.
func mustAppend(t testing.TB, s eventstore.Store, shard int, units ...eventstore.Unit) []eventstore.Result {
	t.Helper()
	results, err := Append(t.Context(), s, shard, units...)
	require.NoError(t, err)
	require.Len(t, results, len(units))
	return results
}

func appended(first int64) eventstore.Result {
	return eventstore.Result{Status: eventstore.StatusAppended, First: first}
}

func conflict() eventstore.Result { return eventstore.Result{Status: eventstore.StatusConflict} }

func duplicate() eventstore.Result { return eventstore.Result{Status: eventstore.StatusDuplicate} }

// outcomeOf returns a recorded outcome, and false if there is none.
// FindOutcome returns what was recorded for one key, and false if nothing was.
func FindOutcome(
	ctx context.Context, s eventstore.Store, a domain.AccountID, key string,
) (eventstore.Outcome, bool, error) {
	asked := eventstore.OutcomeKey{Account: a, Key: key}
	found, err := s.Outcomes(ctx, []eventstore.OutcomeKey{asked})
	o, ok := found[asked]
	return o, ok, err
}

func outcomeOf(t testing.TB, s eventstore.Store, a domain.AccountID, key string) (eventstore.Outcome, bool) {
	t.Helper()
	o, ok, err := FindOutcome(t.Context(), s, a, key)
	require.NoError(t, err)
	return o, ok
}

// tail reads the shard while others write to it, until it has seen the end that done returns, and fails on any hole.
func tail(ctx context.Context, s eventstore.Store, shard int, done <-chan int64) error {
	v := newVerifier(shard)
	end := int64(-1)
	for end < 0 || v.head.Pos < end {
		select {
		case end = <-done:
		default:
		}
		heads, err := s.Heads(ctx)
		if err != nil {
			return err
		}
		page, err := s.ReadShard(ctx, shard, v.head.Pos, eventstore.ReadMax)
		if err != nil {
			return err
		}
		if err := v.verify(page); err != nil {
			return err
		}
		if v.head.Pos < heads[shard].Pos {
			return fmt.Errorf("the head was %d, but a later read ends at %d", heads[shard].Pos, v.head.Pos)
		}
	}
	return nil
}
