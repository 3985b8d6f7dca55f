package commands_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
)

// How often what a process knows is taken from it, in commands.
const (
	forgetOneIn  = 120
	restartOneIn = 400
	loseOneIn    = 600
)

// The size of the test: enough for some snapshots.
const (
	forgetClients = 4
	forgetSteps   = 12_000
)

// forgetful is a process that forgets what it has kept, begins anew, and loses its snapshots at any moment.
type forgetful struct {
	store  eventstore.Store
	kept   *losable
	codec  *eventstore.Codec
	ledger atomic.Pointer[commands.Ledger]

	mu    sync.Mutex
	r     *rand.Rand
	began []*commands.Ledger
}

func (f *forgetful) begin() error {
	ledger, err := commands.New(commands.Config{Store: f.store, Codec: f.codec, Snapshots: f.kept})
	f.began = append(f.began, ledger)
	f.ledger.Store(ledger)
	return err
}

func (f *forgetful) send(s step) reply {
	f.mu.Lock()
	var err error
	switch {
	case f.r.IntN(forgetOneIn) == 0:
		f.ledger.Load().Forget()
	case f.r.IntN(restartOneIn) == 0: // what is on its way in the old one goes on beside the new one
		err = f.begin()
	case f.r.IntN(loseOneIn) == 0:
		f.kept.lose()
	}
	f.mu.Unlock()
	if err != nil {
		return reply{Code: noAnswer, Msg: err.Error()}
	}
	return s.run(context.Background(), f.ledger.Load())
}

// losable are snapshots that may all be gone.
type losable struct {
	mu            sync.Mutex
	snapshots     map[string]eventstore.Snapshot
	saved, loaded int
}

func (l *losable) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.snapshots)
}

func (l *losable) LoadSnapshots(_ context.Context, _ int, streams []string) (out []eventstore.Snapshot, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range streams {
		if s, ok := l.snapshots[name]; ok {
			out = append(out, s)
			l.loaded++
		}
	}
	return out, nil
}

func (l *losable) SaveSnapshots(_ context.Context, all []eventstore.Snapshot) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range all {
		if old := l.snapshots[s.Stream]; old.Version < s.Version {
			l.snapshots[s.Stream] = s
			l.saved++
		}
	}
	return nil
}

// Forgetting states, losing all snapshots and beginning anew change no answer, and nothing is held on to afterwards.
func TestForgettingChangesNoAnswer(t *testing.T) {
	t.Parallel()
	store, err := memory.New(memory.Config{Shards: modelShards, Now: func() time.Time { return noon }})
	require.NoError(t, err)
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	c := newCrowd(drawSeed())
	kept := &losable{snapshots: map[string]eventstore.Snapshot{}}
	f := &forgetful{store: store, kept: kept, codec: codec, r: rand.New(rand.NewPCG(c.seed, 0))}
	require.NoError(t, f.begin())
	c.processes, c.hot, c.hotShare = []process{f}, 1, 95 // so that snapshots are made
	c.round(1, forgetClients, forgetSteps)
	sent := time.Since(c.began)
	c.compare(t, store)
	c.report(t, sent)
	t.Logf("%d snapshots were saved, %d loaded, %d processes", kept.saved, kept.loaded, len(f.began))
	require.Positive(t, kept.loaded)
	for _, ledger := range f.began {
		rests(t, ledger)
	}
}
