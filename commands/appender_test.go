package commands_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

func grantOf(n int) account.GrantCredits {
	return account.GrantCredits{
		Grant: domain.GrantID(id("grt_", 1000+n)), Source: account.SourcePromotion, Amount: 1, Effective: noon, At: noon,
	}
}

func grantOn(ctx context.Context, l *commands.Ledger, c commands.Caller, n int) func() error {
	return func() error {
		_, err := l.GrantCredits(ctx, c, grantOf(n))
		return err
	}
}

// joined waits until so many commands wait in all.
func joined(t *testing.T, l *commands.Ledger, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return l.Waiting() == n }, time.Minute, 100*time.Microsecond)
}

// all lets n appends through, and returns how many events each had.
func (g *gate) all(n int) (events []int) {
	for range n {
		count := 0
		for _, u := range <-g.arrived {
			count += len(u.Events)
		}
		events = append(events, count)
		g.proceed <- nil
	}
	return events
}

func none(t *testing.T, answers []<-chan error) {
	t.Helper()
	for _, done := range answers {
		require.NoError(t, <-done)
	}
}

func rests(t *testing.T, l *commands.Ledger) {
	t.Helper()
	require.Eventually(t, func() bool { return l.Rest() == "" }, time.Minute, time.Millisecond, "something is left")
}

// A batch takes so many commands, the queue behind it so many more, and the next one is told so at once.
func TestFullBatchAndFullQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	answers := []<-chan error{later(grantOn(t.Context(), ledger, b.caller, 0))}
	<-g.arrived
	for n := range commands.BatchMax + commands.QueueMax {
		answers = append(answers, later(grantOn(t.Context(), ledger, b.caller, 1+n)))
	}
	joined(t, ledger, commands.BatchMax+commands.QueueMax)
	_, err := ledger.GrantCredits(t.Context(), b.caller, grantOf(99_999))
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
	g.proceed <- nil
	require.Equal(t, []int{commands.BatchMax}, g.all(1))
	for left := commands.QueueMax; left > 0; {
		batch := g.all(1)[0] // those that wait join while it is on its way
		require.LessOrEqual(t, batch, commands.BatchMax)
		left -= batch
	}
	none(t, answers)
	require.EqualValues(t, -(100 + 1 + commands.BatchMax + commands.QueueMax), b.account(t).Totals.Issuance)
	rests(t, ledger)
}

func TestBatchIsBoundedByEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	answers := []<-chan error{later(grantOn(t.Context(), ledger, b.caller, 0))}
	<-g.arrived
	const pairs = commands.ReservationsMax / 2
	const full = (commands.BatchEvents + 2*pairs - 1) / (2 * pairs) // commands that reach the bound
	for n := range full + 1 {
		var many []commands.ReservationCommand
		for i := range pairs {
			r := domain.ReservationID(id("res_", n*pairs+i))
			many = append(many,
				commands.ReservationCommand{Reserve: &account.Reserve{
					Reservation: r, Amount: 1, Expires: noon.Add(time.Hour), At: noon,
				}},
				commands.ReservationCommand{Release: &account.Release{Reservation: r, At: noon}})
		}
		answers = append(answers, later(func() error {
			_, err := ledger.RunReservations(t.Context(), b.caller, many)
			return err
		}))
		joined(t, ledger, n+1)
	}
	g.proceed <- nil
	require.Equal(t, []int{full * 2 * pairs, 2 * pairs}, g.all(2))
	none(t, answers)
	rests(t, ledger)
}

// wordy is a grant with a reason of so many bytes.
func wordy(n, bytes int) account.GrantCredits {
	g := grantOf(n)
	g.Reason = strings.Repeat("x", bytes)
	return g
}

func TestBatchIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	answers := []<-chan error{later(grantOn(t.Context(), ledger, b.caller, 0))}
	<-g.arrived
	const each = 400 << 10
	const full = commands.BatchBytes/each + 1
	for n := range full + 1 {
		answers = append(answers, later(func() error {
			_, err := ledger.GrantCredits(t.Context(), b.caller, wordy(1+n, each))
			return err
		}))
		joined(t, ledger, n+1)
		if n < full {
			counted := func() bool { return ledger.OpenBytes() > int64((n+1)*each) }
			require.Eventually(t, counted, time.Minute, 50*time.Microsecond)
		}
	}
	g.proceed <- nil
	require.Equal(t, []int{full, 1}, g.all(2))
	none(t, answers)
	rests(t, ledger)
}

// More bytes than one append may have come at once: all of them are recorded, in several.
func TestManyBytesAreDividedNotLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, err := commands.New(commands.Config{Store: b.store, Codec: b.codec})
	require.NoError(t, err)
	const each, n = 500 << 10, 2 * eventstore.AppendBytesMax / (500 << 10)
	var answers []<-chan error
	for i := range n {
		answers = append(answers, later(func() error {
			_, err := ledger.GrantCredits(t.Context(), keyed(b.caller, fmt.Sprint(i), 1), wordy(i, each))
			return err
		}))
	}
	none(t, answers)
	require.EqualValues(t, -(100 + n), b.account(t).Totals.Issuance)
	rests(t, ledger)
}

// What a store would refuse together with everything beside it is refused before.
func TestImpossibleCommandCostsOnlyItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	first := later(grantOn(t.Context(), ledger, b.caller, 0))
	<-g.arrived
	second := later(grantOn(t.Context(), ledger, b.caller, 1))
	joined(t, ledger, 1)
	large := later(func() error {
		_, err := ledger.GrantCredits(t.Context(), b.caller, wordy(2, eventstore.EventBytesMax))
		return err
	})
	joined(t, ledger, 2)
	third := later(grantOn(t.Context(), ledger, b.caller, 3))
	joined(t, ledger, 3)
	for _, c := range []commands.Caller{{Account: "acc_x"}, keyed(b.caller, "", 1), keyed(b.caller, "a\x00b", 1)} {
		_, err := ledger.GrantCredits(t.Context(), c, grantOf(4))
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	}
	g.proceed <- nil
	require.NoError(t, <-first)
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(<-large))
	go g.drain()
	require.NoError(t, <-second)
	require.NoError(t, <-third)
	close(g.arrived)
	require.EqualValues(t, -103, b.account(t).Totals.Issuance)
	rests(t, ledger)
}

// A panic while deciding is the answer to that command. Those before and after it in the batch go on.
func TestPanicInADecisionCostsOnlyItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	first := later(grantOn(t.Context(), ledger, b.caller, 0))
	<-g.arrived
	before := later(grantOn(t.Context(), ledger, b.caller, 1))
	joined(t, ledger, 1)
	broken := later(func() error {
		_, err := ledger.GrantAfter(t.Context(), b.caller, grantOf(2), func(*account.State) { panic("broken decider") })
		return err
	})
	joined(t, ledger, 2)
	after := later(grantOn(t.Context(), ledger, b.caller, 3))
	joined(t, ledger, 3)
	g.proceed <- nil
	require.Equal(t, []int{1, 1}, g.all(2), "the second does not go behind what may be broken")
	require.NoError(t, <-first)
	require.ErrorContains(t, <-broken, "broken decider")
	require.NoError(t, <-before)
	require.NoError(t, <-after)
	require.EqualValues(t, -103, b.account(t).Totals.Issuance)
	rests(t, ledger)
}

// A store that panics is like one that fails: the commands are told so, and the next ones go on.
func TestPanicInTheStoreIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := &panicsOnce{Store: b.store}
	ledger, err := commands.New(commands.Config{Store: broken, Codec: b.codec})
	require.NoError(t, err)
	require.ErrorContains(t, grantOn(t.Context(), ledger, b.caller, 0)(), "broken store")
	require.NoError(t, grantOn(t.Context(), ledger, b.caller, 0)())
	require.EqualValues(t, -101, b.account(t).Totals.Issuance)
	rests(t, ledger)
}

type panicsOnce struct {
	eventstore.Store
	done bool
}

func (s *panicsOnce) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	if !s.done {
		s.done = true
		panic("broken store")
	}
	return s.Store.Append(ctx, batches)
}

// neighbour opens an account in the shard of the bundle's.
func (b *bundle) neighbour(t *testing.T) commands.Caller {
	t.Helper()
	c := b.caller
	for n := 500; c.Account == b.caller.Account ||
		eventstore.ShardOf(c.Account, b.store.Shards()) != eventstore.ShardOf(b.caller.Account, b.store.Shards()); n++ {
		c.Account = domain.AccountID(id("acc_", n))
	}
	_, err := b.ledger.OpenAccount(t.Context(), c, commands.OpenAccount{Grant: domain.GrantID(id("grt_", 2)), At: noon})
	require.NoError(t, err)
	return c
}

func TestConflictCostsOnlyItsAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	neighbour := b.neighbour(t)
	ledger, g := gated(t, b)
	first := later(grantOn(t.Context(), ledger, neighbour, 0))
	<-g.arrived
	mine, theirs := later(grantOn(t.Context(), ledger, b.caller, 1)), later(grantOn(t.Context(), ledger, neighbour, 2))
	joined(t, ledger, 2)
	g.proceed <- nil
	require.NoError(t, <-first)
	require.Len(t, <-g.arrived, 2)
	require.NoError(t, grantOn(t.Context(), b.ledger, b.caller, 3)()) // another process is faster
	g.proceed <- nil
	require.NoError(t, <-theirs, "without a second append")
	again := <-g.arrived
	require.Len(t, again, 1)
	require.Equal(t, b.caller.Account, again[0].Account)
	g.proceed <- nil
	require.NoError(t, <-mine)
	rests(t, ledger)
}

// Who gives up before the command has joined a batch knows that it was not run.
func TestGivingUpInTheQueueRunsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger, g := gated(t, b)
	answers := []<-chan error{later(grantOn(t.Context(), ledger, b.caller, 0))}
	<-g.arrived
	for n := range commands.BatchMax {
		answers = append(answers, later(grantOn(t.Context(), ledger, b.caller, 1+n)))
	}
	joined(t, ledger, commands.BatchMax)
	ctx, cancel := context.WithCancel(t.Context())
	waits := later(grantOn(ctx, ledger, b.caller, 99_999))
	joined(t, ledger, commands.BatchMax+1)
	cancel()
	require.ErrorIs(t, <-waits, context.Canceled)
	g.proceed <- nil
	require.Equal(t, []int{commands.BatchMax}, g.all(1))
	none(t, answers)
	again := later(grantOn(t.Context(), ledger, b.caller, 99_999))
	g.all(1)
	require.NoError(t, <-again, "else it would be a conflict")
	rests(t, ledger)
}
