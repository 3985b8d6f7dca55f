package commands_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

var errAway = errors.New("the database is away")

// forgetsToAnswer records and then says that it failed.
type forgetsToAnswer struct {
	eventstore.Store
	times atomic.Int64
}

func (s *forgetsToAnswer) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	out, err := s.Store.Append(ctx, batches)
	if s.times.Add(-1) >= 0 {
		return nil, errAway
	}
	return out, err
}

// It was recorded, but its caller is told that nobody knows. Asking again answers from the record, and what was kept
// does not stand in the way of those that come after.
func TestUnknownOutcomeIsFoundByAskingAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	store := &forgetsToAnswer{Store: b.store}
	ledger, err := commands.New(commands.Config{Store: store, Codec: b.codec})
	require.NoError(t, err)
	for round := range 3 {
		store.times.Store(1)
		caller := keyed(b.caller, fmt.Sprint("k", round), 1)
		_, err = ledger.GrantCredits(t.Context(), caller, grantOf(round))
		require.ErrorIs(t, err, errAway)
		again, err := ledger.GrantCredits(t.Context(), caller, grantOf(round))
		require.NoError(t, err)
		require.True(t, again.Replayed)
		require.Equal(t, grantOf(round).Grant, again.Result.Grant)
		_, err = ledger.GrantCredits(t.Context(), b.caller, grantOf(100+round))
		require.NoError(t, err)
	}
	require.EqualValues(t, -106, b.account(t).Totals.Issuance)
	rests(t, ledger)
}

// grants has a ledger grant under keys, counting the decisions.
func (b *bundle) grants(t *testing.T, l *commands.Ledger, first, n int, decisions *atomic.Int64) (replayed int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		made, err := l.GrantAfter(t.Context(), keyed(b.caller, fmt.Sprint("key ", i), 1), grantOf(i), func(*account.State) {
			decisions.Add(1)
		})
		require.NoError(t, err)
		require.Equal(t, grantOf(i).Grant, made.Result.Grant)
		if made.Replayed {
			replayed++
		}
	}
	return replayed
}

// Keys that this process has not recorded, or so many commands ago that it has forgotten them, answer from the record.
// The first may be decided in vain; then keys are looked up before, so that nothing is decided for the others.
func TestOldKeysAnswerFromTheRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var decisions atomic.Int64
	const n = 300
	require.Zero(t, b.grants(t, b.ledger, 0, n, &decisions))
	require.EqualValues(t, n, decisions.Load())
	require.Equal(t, n, b.grants(t, b.ledger, 0, n, &decisions))
	require.EqualValues(t, n, decisions.Load(), "recent ones are not even looked up")

	other, err := commands.New(commands.Config{Store: b.store, Codec: b.codec, Appenders: 1})
	require.NoError(t, err)
	heads := b.heads(t)
	require.Equal(t, n, b.grants(t, other, 0, n, &decisions))
	require.LessOrEqual(t, decisions.Load(), int64(n+1))
	require.Equal(t, heads, b.heads(t))

	require.Zero(t, b.grants(t, other, n, commands.RecentMax, &decisions))
	decisions.Store(0)
	require.Equal(t, 10, b.grants(t, other, n, 10, &decisions), "they were pushed out")
	require.LessOrEqual(t, decisions.Load(), int64(1))
	rests(t, other)
}

// A decision that was made in vain leaves no trace: not in the state that the next command sees, not in a snapshot, not
// in the record.
func TestDecisionMadeInVainLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	caller := keyed(b.caller, "k", 1)
	_, err := b.ledger.GrantCredits(t.Context(), caller, grantOf(0))
	require.NoError(t, err)
	kept := &proven{bundle: b, t: t}
	other, err := commands.New(commands.Config{Store: b.store, Codec: b.codec, Snapshots: kept})
	require.NoError(t, err)
	heads := b.heads(t)
	other2 := grantOf(1) // would be made, were the key not known
	made, err := other.GrantCredits(t.Context(), caller, other2)
	require.NoError(t, err)
	require.True(t, made.Replayed)
	require.Equal(t, heads, b.heads(t))
	_, err = other.GrantAfter(t.Context(), b.caller, grantOf(2), func(s *account.State) {
		require.EqualValues(t, -101, s.Totals.Issuance)
	})
	require.NoError(t, err)
	require.Zero(t, kept.saved())
}

// Replays among others in one batch have the unit decided anew, once: each of the others is recorded and answered.
func TestReplaysInABatchHinderNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var decisions atomic.Int64
	const n = 20
	b.grants(t, b.ledger, 0, n, &decisions)
	ledger, g := gated(t, b)
	first := later(grantOn(t.Context(), ledger, b.caller, 500))
	<-g.arrived
	var answers []<-chan error
	for i := range n {
		answers = append(answers, later(grantOn(t.Context(), ledger, keyed(b.caller, fmt.Sprint("key ", i), 1), i)))
		answers = append(answers, later(grantOn(t.Context(), ledger, keyed(b.caller, fmt.Sprint("new ", i), 1), 1000+i)))
	}
	joined(t, ledger, 2*n)
	go g.drain()
	g.proceed <- nil
	require.NoError(t, <-first)
	none(t, answers)
	close(g.arrived)
	require.EqualValues(t, -(100 + n + 1 + n), b.account(t).Totals.Issuance)
	rests(t, ledger)
}

// drain lets everything through until the gate is closed.
func (g *gate) drain() {
	for range g.arrived {
		g.proceed <- nil
	}
}

// proven keeps snapshots, and compares each with what was recorded.
type proven struct {
	*bundle
	t  *testing.T
	mu sync.Mutex
	at []eventstore.Snapshot
}

func (p *proven) saved() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

func (p *proven) LoadSnapshots(context.Context, int, []string) ([]eventstore.Snapshot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) == 0 {
		return nil, nil
	}
	return p.at[len(p.at)-1:], nil
}

func (p *proven) SaveSnapshots(ctx context.Context, all []eventstore.Snapshot) error {
	for _, s := range all {
		if err := p.save(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (p *proven) save(ctx context.Context, s eventstore.Snapshot) error {
	state := account.Initial()
	at := eventstore.StreamVersion{Stream: s.Stream}
	for at.Version < s.Version {
		page, err := p.store.ReadStreams(ctx, s.Shard, []eventstore.StreamVersion{at}, eventstore.ReadMax)
		if err != nil || len(page) == 0 {
			p.t.Errorf("a snapshot at version %d of a stream that has %d: %v", s.Version, at.Version, err)
			return err
		}
		for _, e := range page[:min(int64(len(page)), s.Version-at.Version)] {
			event, err := p.codec.Decode(ctx, e)
			if err != nil {
				return err
			}
			state, at.Version = account.Evolve(state, event), e.Version
		}
	}
	want, err := json.Marshal(state.Snapshot())
	if err != nil || string(want) != string(s.State) {
		p.t.Errorf("the snapshot at version %d is %s and should be %s: %v", s.Version, s.State, want, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = append(p.at, s)
	return nil
}

// snapshotEvery is how many events an account with many grants gets between two snapshots.
const snapshotEvery = 2000

// Whatever fails meanwhile, only what is recorded is ever saved: a snapshot that was made of a state on its way goes
// with it.
func TestSnapshotsAreOfWhatIsRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.lengthen(t, snapshotEvery-2)
	kept := &proven{bundle: b, t: t}
	g := &gate{Store: b.store, arrived: make(chan []eventstore.Unit), proceed: make(chan error)}
	ledger, err := commands.New(commands.Config{Store: g, Codec: b.codec, Snapshots: kept})
	require.NoError(t, err)
	first := later(grantOn(t.Context(), ledger, b.caller, 9_000))
	<-g.arrived
	second := later(grantOn(t.Context(), ledger, b.caller, 9_001)) // makes one, on top of the first
	joined(t, ledger, 1)
	third := later(grantOn(t.Context(), ledger, b.caller, 9_002))
	joined(t, ledger, 2)
	g.proceed <- errAway
	require.ErrorIs(t, <-first, errAway)
	answers := make(chan error)
	for _, done := range []<-chan error{second, third} {
		go func() { answers <- <-done }()
	}
	for left := 2; left > 0; {
		select {
		case <-g.arrived:
			g.proceed <- errAway // and again, with a snapshot among what fails
		case err := <-answers:
			require.ErrorIs(t, err, errAway)
			left--
		}
	}
	require.Zero(t, kept.saved())
	for n := range 10 {
		done := later(grantOn(t.Context(), ledger, b.caller, 9_010+n))
		g.all(1)
		require.NoError(t, <-done)
	}
	rests(t, ledger)
	require.Equal(t, 1, kept.saved())
}
