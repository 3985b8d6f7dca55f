package commands_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// gate is a store whose appends wait until they are let through, so that a test says which commands form a batch.
type gate struct {
	eventstore.Store
	arrived chan []eventstore.Unit
	proceed chan error // nil lets the append through
}

func (g *gate) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	var units []eventstore.Unit
	for _, b := range batches {
		units = append(units, b.Units...)
	}
	g.arrived <- units
	if err := <-g.proceed; err != nil {
		return nil, err
	}
	return g.Store.Append(ctx, batches)
}

// gated returns the bundle's ledger behind a gate.
func gated(t *testing.T, b *bundle) (*commands.Ledger, *gate) {
	t.Helper()
	g := &gate{Store: b.store, arrived: make(chan []eventstore.Unit), proceed: make(chan error)}
	ledger, err := commands.New(commands.Config{Store: g, Codec: b.codec})
	require.NoError(t, err)
	return ledger, g
}

// later runs a command and hands its error out when it is done.
func later(command func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- command() }()
	return done
}

func requestOn(ctx context.Context, l *commands.Ledger, c commands.Caller, n, count int) func() error {
	return func() error {
		_, err := l.RequestGeneration(ctx, c, request(n, count))
		return err
	}
}

func TestCommandsThatArriveWhileOthersCommitFormTheNextBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	first := later(requestOn(t.Context(), ledger, b.caller, 1, 8))
	require.Len(t, (<-g.arrived)[0].Events, 2)
	var rest []<-chan error
	for n := 2; n <= 9; n++ { // 16 credits each: with the first, six fit, and four slots are there
		rest = append(rest, later(requestOn(t.Context(), ledger, b.caller, n, 8)))
		require.Eventually(t, func() bool { return ledger.Waiting() == n-1 }, time.Minute, time.Millisecond)
	}
	g.proceed <- nil
	require.NoError(t, <-first)
	units := <-g.arrived
	require.Len(t, units, 1, "one account, one unit")
	require.Len(t, units[0].Events, 6, "each saw those before it in the batch, so three slots were left")
	g.proceed <- nil
	refused := 0
	for _, done := range rest {
		if err := <-done; err != nil {
			require.Equal(t, domain.CodeConcurrencyLimit, domain.CodeOf(err))
			refused++
		}
	}
	require.Equal(t, 5, refused)
	require.Equal(t, 4, b.account(t).Open())
}

// A command is decided when it arrives: who gives up then still learns what became of it.
func TestWhoGivesUpIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	first := later(requestOn(t.Context(), ledger, b.caller, 1, 1))
	<-g.arrived
	ctx, cancel := context.WithCancel(t.Context())
	second := later(requestOn(ctx, ledger, b.caller, 2, 1))
	require.Eventually(t, func() bool { return ledger.Waiting() == 1 }, time.Minute, time.Millisecond)
	cancel()
	g.proceed <- nil
	require.NoError(t, <-first)
	require.Len(t, (<-g.arrived)[0].Events, 2)
	g.proceed <- nil
	require.NoError(t, <-second)
	require.Equal(t, 2, b.account(t).Open())
}

// What was decided on top of a batch that could not be recorded is decided anew, on what is recorded.
func TestFailedAppendTakesBackWhatWasDecidedOnIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	first := later(requestOn(t.Context(), ledger, b.caller, 1, 8))
	<-g.arrived
	second := later(requestOn(t.Context(), ledger, keyed(b.caller, "second", 1), 2, 8))
	require.Eventually(t, func() bool { return ledger.Waiting() == 1 }, time.Minute, time.Millisecond)
	g.proceed <- errors.New("the database is away")
	require.ErrorContains(t, <-first, "away")
	require.EqualValues(t, 3, (<-g.arrived)[0].Events[0].Version, "not behind what was never recorded")
	g.proceed <- nil
	require.NoError(t, <-second)
	require.Equal(t, 1, b.account(t).Open())
}

func TestFailedAppendIsToldAndForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	broken := errors.New("the database is away")
	done := later(requestOn(t.Context(), ledger, b.caller, 1, 1))
	<-g.arrived
	g.proceed <- broken
	require.ErrorIs(t, <-done, broken)
	again := later(requestOn(t.Context(), ledger, b.caller, 1, 1))
	require.EqualValues(t, 3, (<-g.arrived)[0].Events[0].Version, "decided on what is recorded")
	g.proceed <- nil
	require.NoError(t, <-again)
}

// A refusal after a change of the state must not leave the change behind for the next command.
func TestRefusalLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 2))
	require.NoError(t, err)
	b.claim(t, 1, noon)
	var free domain.Credits
	for range 3 {
		_, err = b.ledger.CancelGeneration(t.Context(), b.caller, gen(1), &free, noon)
		require.Equal(t, domain.CodePreconditionFailed, domain.CodeOf(err))
	}
	done, err := b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
		Attempt: 1, Images: pictures(gen(1), 2), At: noon,
	})
	require.NoError(t, err)
	require.EqualValues(t, 4, done.Result.Settled)
}

// What one process has kept is old as soon as another appends: also a refusal is decided on what is recorded.
func TestTwoProcessesSeeEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := commands.New(commands.Config{Store: b.store, Codec: b.codec})
	require.NoError(t, err)
	big := request(1, 8)
	big.Spec.Model, big.Spec.Guidance, big.Spec.Steps = "flux-dev", 3.5, 60
	_, err = b.ledger.RequestGeneration(t.Context(), b.caller, big)
	require.Equal(t, domain.CodeInsufficientCredits, domain.CodeOf(err), "now it is kept")
	_, err = other.GrantCredits(t.Context(), b.caller, account.GrantCredits{
		Grant: domain.GrantID(id("grt_", 2)), Source: account.SourceTopUp, Priority: 50, Amount: 1000,
		Effective: noon, At: noon,
	})
	require.NoError(t, err)
	_, err = b.ledger.RequestGeneration(t.Context(), keyed(b.caller, "again", 1), big)
	require.NoError(t, err)

	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			ledger := []*commands.Ledger{b.ledger, other}[i%2]
			for {
				_, err := ledger.GrantCredits(context.WithoutCancel(t.Context()), b.caller, account.GrantCredits{
					Grant: domain.GrantID(id("grt_", 100+i)), Source: account.SourcePromotion, Amount: 1,
					Effective: noon, At: noon,
				})
				if domain.CodeOf(err) != domain.CodeStaleVersion {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, -(100 + 1000 + 40), b.account(t).Totals.Issuance)
}

// A stranger asks for a job while its owner's decision on it fails to be appended: nobody may see that decision.
func TestNobodySeesWhatWasDecidedAndNotAppended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	stranger := commands.Caller{Account: "acc_"}
	for n := 100; eventstore.ShardOf(stranger.Account, 4) != eventstore.ShardOf(b.caller.Account, 4); n++ {
		stranger.Account = domain.AccountID(id("acc_", n))
	}
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 1))
	require.NoError(t, err)
	b.claim(t, 1, noon)
	cancel := func(c commands.Caller) <-chan error {
		return later(func() error {
			_, err := ledger.CancelGeneration(t.Context(), c, gen(1), nil, noon)
			return err
		})
	}
	busy := later(requestOn(t.Context(), ledger, b.caller, 2, 1))
	<-g.arrived
	mine := cancel(b.caller)
	require.Eventually(t, func() bool { return ledger.Waiting() == 1 }, time.Minute, time.Millisecond)
	theirs := cancel(stranger)
	require.Eventually(t, func() bool { return ledger.Waiting() == 2 }, time.Minute, time.Millisecond)
	g.proceed <- nil
	require.NoError(t, <-busy)
	require.Len(t, <-g.arrived, 2, "both are decided")
	_, err = b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{ // another process is faster
		Attempt: 1, Images: pictures(gen(1), 1), At: noon,
	})
	require.NoError(t, err)
	g.proceed <- nil
	through := make(chan struct{})
	go func() {
		for range g.arrived {
			g.proceed <- nil
		}
		close(through)
	}()
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(<-theirs))
	require.Equal(t, domain.CodeAlreadyEnded, domain.CodeOf(<-mine))
	require.Equal(t, domain.CodeAlreadyEnded, domain.CodeOf(<-cancel(b.caller)), "it succeeded")
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(<-cancel(stranger)))
	close(g.arrived)
	<-through
}

// panicking is a store that breaks off in the middle of a batch.
type panicking struct{ eventstore.Store }

func (panicking) ReadStreams(
	context.Context, int, []eventstore.StreamVersion, int,
) ([]eventstore.Envelope, error) {
	panic("broken fold")
}

func TestPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, err := commands.New(commands.Config{Store: panicking{b.store}, Codec: b.codec})
	require.NoError(t, err)
	for n := range 3 {
		_, err := ledger.RequestGeneration(t.Context(), b.caller, request(n+1, 1))
		require.ErrorContains(t, err, "broken fold", "and the shard goes on")
	}
}
