package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	benchmarkBatch  = 200  // units of one append
	benchmarkEvents = 2    // events of one unit, in two streams
	replayEvents    = 5000 // events of one replay
)

// Benchmark measures appends of one unit and of a batch, each unit with two events in two streams and an outcome, and
// a replay of a shard. Open returns an empty store.
func Benchmark(b *testing.B, open func(testing.TB) eventstore.Store) {
	b.Run("append=1", func(b *testing.B) { benchmarkAppend(b, open(b), 1) })
	b.Run("append=200", func(b *testing.B) { benchmarkAppend(b, open(b), benchmarkBatch) })
	b.Run("replay", func(b *testing.B) { benchmarkReplay(b, open(b)) })
}

// load makes batches that never conflict.
type load struct {
	accounts   []domain.AccountID
	round      int
	generation int
}

func (l *load) next() []eventstore.Unit {
	l.round++
	units := make([]eventstore.Unit, len(l.accounts))
	for i, a := range l.accounts {
		l.generation++
		generation := Generation(l.generation)
		u := eventstore.Unit{Account: a, Events: []eventstore.NewEvent{
			Event(eventstore.GenerationStream(generation), 1),
			Event(eventstore.AccountStream(a), int64(l.round)),
		}}
		units[i] = WithKey(u, string(generation))
	}
	return units
}

func benchmarkAppend(b *testing.B, s eventstore.Store, units int) {
	l := load{accounts: Accounts(0, s.Shards(), units)}
	for b.Loop() {
		results := mustAppend(b, s, 0, l.next()...)
		if results[units-1].Status != eventstore.StatusAppended {
			b.Fatal("an append that cannot conflict did")
		}
	}
	b.ReportMetric(float64(b.N*units*benchmarkEvents)/b.Elapsed().Seconds(), "events/s")
}

func benchmarkReplay(b *testing.B, s eventstore.Store) {
	l := load{accounts: Accounts(0, s.Shards(), replayEvents/benchmarkEvents/5)}
	for range 5 {
		mustAppend(b, s, 0, l.next()...)
	}
	for b.Loop() {
		events, err := s.ReadShard(b.Context(), 0, 0, replayEvents)
		require.NoError(b, err)
		require.Len(b, events, replayEvents)
	}
	b.ReportMetric(float64(b.N*replayEvents)/b.Elapsed().Seconds(), "events/s")
}
