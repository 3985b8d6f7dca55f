package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	racers       = 64                     // callers that race for one thing
	writers      = 8                      // writers of one shard
	writerRounds = 40                     // appends of each writer
	hotAccounts  = 3                      // accounts that all writers write to
	staleEvery   = 7                      // of these rounds, one tries a version that is taken
	cancelEvery  = 5                      // of these rounds, one runs out of time
	cancelStep   = 100 * time.Microsecond // of time more in each round that does
)

// race runs the call in many goroutines at once and returns how often each status came back.
func race(
	t *testing.T, call func(ctx context.Context, i int) (eventstore.Result, error),
) map[eventstore.Status]int {
	t.Helper()
	var g errgroup.Group
	start := make(chan struct{})
	results := make([]eventstore.Result, racers)
	for i := range racers {
		g.Go(func() (err error) {
			<-start
			results[i], err = call(t.Context(), i)
			return err
		})
	}
	close(start)
	require.NoError(t, g.Wait())
	counts := map[eventstore.Status]int{}
	for _, r := range results {
		counts[r.Status]++
	}
	return counts
}

func requireOneWinner(t *testing.T, counts map[eventstore.Status]int, losers eventstore.Status) {
	t.Helper()
	require.Equal(t, map[eventstore.Status]int{eventstore.StatusAppended: 1, losers: racers - 1}, counts)
}

func one(ctx context.Context, s *suite, u eventstore.Unit) (eventstore.Result, error) {
	results, err := Append(ctx, s.store, s.shard, u)
	if err != nil {
		return eventstore.Result{}, err
	}
	return results[0], nil
}

func testRaceForVersion(t *testing.T, s *suite) {
	counts := race(t, func(ctx context.Context, i int) (eventstore.Result, error) {
		return one(ctx, s, WithKey(Unit(s.a, 1, 2), fmt.Sprint(i)))
	})
	requireOneWinner(t, counts, eventstore.StatusConflict)
	require.Len(t, ReadAll(t, s.store, s.shard), 2)
}

func testRaceForKey(t *testing.T, s *suite) {
	counts := race(t, func(ctx context.Context, i int) (eventstore.Result, error) {
		u := eventstore.Unit{Account: s.a, Events: Events(fmt.Sprintf("generation-%d", i), 1, 2)}
		return one(ctx, s, WithKey(u, "k"))
	})
	requireOneWinner(t, counts, eventstore.StatusDuplicate)
	events := ReadAll(t, s.store, s.shard)
	require.Len(t, events, 2)
	o, ok := outcomeOf(t, s.store, s.a, "k")
	require.True(t, ok)
	require.Equal(t, events[1].Position(), o.Position)
}

func testRaceForKeyWithoutEvents(t *testing.T, s *suite) {
	counts := race(t, func(ctx context.Context, i int) (eventstore.Result, error) {
		return one(ctx, s, eventstore.Unit{Account: s.a, Outcomes: []eventstore.NewOutcome{Outcome("k", 0)}})
	})
	requireOneWinner(t, counts, eventstore.StatusDuplicate)
	require.Empty(t, ReadAll(t, s.store, s.shard))
}

func testConcurrentWriters(t *testing.T, s *suite) {
	RaceWriters(t, s.shard, s.store)
}

// RaceWriters has several writers append to the shard at once, through the stores in turn, which share one ledger.
// They conflict with each other and run out of time now and then, while a reader of each store tails the shard. Then
// it verifies that the record is whole and that everything acknowledged is in it, once. An append that ran out of time
// must be over when it returns: connect to a database so that it waits for the cancelled statement.
func RaceWriters(t *testing.T, shard int, stores ...eventstore.Store) {
	t.Helper()
	accounts := Accounts(shard, stores[0].Shards(), hotAccounts+writers)
	var readers, writing errgroup.Group
	ends := make([]chan int64, len(stores))
	for i, store := range stores {
		ends[i] = make(chan int64, 1)
		readers.Go(func() error { return tail(t.Context(), store, shard, ends[i]) })
	}
	all := make([]*writer, writers)
	for i := range all {
		all[i] = &writer{
			store: stores[i%len(stores)], shard: shard, hot: accounts[:hotAccounts], own: accounts[hotAccounts+i],
		}
		writing.Go(func() error { return all[i].run(t.Context()) })
	}
	writeErr := writing.Wait()
	heads, err := stores[0].Heads(t.Context())
	for _, end := range ends {
		end <- heads[shard].Pos
	}
	require.NoError(t, writeErr)
	require.NoError(t, err)
	require.NoError(t, readers.Wait())
	verifyWriters(t, shard, stores[0], all)
}

func verifyWriters(t *testing.T, shard int, store eventstore.Store, all []*writer) {
	t.Helper()
	events := ReadAll(t, store, shard)
	acknowledged, conflicts, possible := 0, 0, 0
	for _, w := range all {
		acknowledged += w.events
		possible += w.unknown
		conflicts += w.conflicts
		for key, want := range w.outcomes {
			o, ok := outcomeOf(t, store, w.own, key)
			require.True(t, ok, "%s %s", w.own, key)
			require.Equal(t, want, o.Position)
			require.Equal(t, eventstore.AccountStream(w.own), events[want.Pos-1].Stream)
		}
	}
	require.GreaterOrEqual(t, len(events), acknowledged)
	require.LessOrEqual(t, len(events), acknowledged+possible)
	require.Positive(t, conflicts)
}

// writer appends to a stream of its own and to streams that it shares with the others.
type writer struct {
	store eventstore.Store
	shard int
	hot   []domain.AccountID
	own   domain.AccountID

	version   int64 // of its own stream
	outcomes  map[string]eventstore.Position
	events    int // acknowledged
	unknown   int // in appends that ran out of time
	conflicts int
}

func (w *writer) run(ctx context.Context) error {
	w.outcomes = map[string]eventstore.Position{}
	for round := range writerRounds {
		key := fmt.Sprintf("round-%d", round)
		units := []eventstore.Unit{WithKey(Unit(w.own, w.version+1, 2), key)}
		hot, err := w.contended(ctx, round)
		if err != nil {
			return err
		}
		units = append(units, hot)
		results, err := w.append(ctx, round, units)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			w.unknown += 4
			if err := w.recover(ctx, key); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := w.count(key, results); err != nil {
			return err
		}
	}
	return nil
}

// contended returns a unit for a shared account, right at the time of reading, or now and then certainly too late.
func (w *writer) contended(ctx context.Context, round int) (eventstore.Unit, error) {
	account := w.hot[round%len(w.hot)]
	stream := eventstore.AccountStream(account)
	events, err := w.store.ReadStreams(ctx, w.shard, []eventstore.StreamVersion{{Stream: stream}}, eventstore.ReadMax)
	next := int64(len(events)) + 1
	if round%staleEvery == staleEvery-1 {
		next = max(1, next-2)
	}
	return Unit(account, next, 2), err
}

// append gives some of the calls too little time.
func (w *writer) append(ctx context.Context, round int, units []eventstore.Unit) ([]eventstore.Result, error) {
	if round%cancelEvery == 0 {
		short, cancel := context.WithTimeout(ctx, time.Duration(round)*cancelStep)
		defer cancel()
		ctx = short
	}
	return Append(ctx, w.store, w.shard, units...)
}

// recover finds out whether an append that ran out of time was recorded, as a command has to.
func (w *writer) recover(ctx context.Context, key string) error {
	o, ok, err := FindOutcome(ctx, w.store, w.own, key)
	if ok {
		w.version += 2
		w.outcomes[key] = o.Position
	}
	return err
}

func (w *writer) count(key string, results []eventstore.Result) error {
	if results[0].Status != eventstore.StatusAppended {
		return fmt.Errorf("%s %s: status %d without a rival", w.own, key, results[0].Status)
	}
	w.version += 2
	w.events += 2
	w.outcomes[key] = eventstore.Position{Shard: w.shard, Pos: results[0].First + 1}
	switch results[1].Status {
	case eventstore.StatusAppended:
		w.events += 2
	case eventstore.StatusConflict:
		w.conflicts++
	default:
		return fmt.Errorf("%s: status %d without a key", key, results[1].Status)
	}
	return nil
}
