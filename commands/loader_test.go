package commands_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

// reads is a store that lets one read of streams through after the other, and notes what they ask for.
type reads struct {
	eventstore.Store
	proceed chan struct{}
	mu      sync.Mutex
	asked   [][]string
}

func (s *reads) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	var names []string
	for _, a := range after {
		names = append(names, a.Stream)
	}
	slices.Sort(names)
	s.mu.Lock()
	s.asked = append(s.asked, names)
	s.mu.Unlock()
	<-s.proceed
	return s.Store.ReadStreams(ctx, shard, after, limit)
}

// next lets a read through and returns what the one after it asks for, or nil.
func (s *reads) next() []string {
	n := len(s.asked)
	s.proceed <- struct{}{}
	synctest.Wait()
	if len(s.asked) == n {
		return nil
	}
	return s.asked[n]
}

// slowly returns the ledger of a bundle whose reads go on one by one.
func (b *bundle) slowly(t *testing.T) (*commands.Ledger, *reads) {
	t.Helper()
	s := &reads{Store: b.store, proceed: make(chan struct{})}
	ledger, err := commands.New(commands.Config{Store: s, Codec: b.codec})
	require.NoError(t, err)
	return ledger, s
}

// strangers are accounts of the bundle's shard that nobody has opened.
func (b *bundle) strangers(n int) (all []commands.Caller) {
	of := eventstore.ShardOf(b.caller.Account, b.store.Shards())
	for i := 5000; len(all) < n; i++ {
		if a := domain.AccountID(id("acc_", i)); eventstore.ShardOf(a, b.store.Shards()) == of {
			all = append(all, commands.Caller{Account: a, Actor: "test"})
		}
	}
	return all
}

func reserveOn(ctx context.Context, l *commands.Ledger, c commands.Caller, n int) func() error {
	return func() error {
		_, err := l.ReserveCredits(ctx, c, account.Reserve{
			Reservation: domain.ReservationID(id("res_", n)), Amount: 1, Expires: noon.Add(time.Hour), At: noon,
		})
		return err
	}
}

// reserve sends a command that reads the account, and waits until it does.
func reserve(t *testing.T, l *commands.Ledger, c commands.Caller, n int) <-chan error {
	t.Helper()
	done := later(reserveOn(t.Context(), l, c, n))
	synctest.Wait()
	return done
}

func stream(c commands.Caller) string { return eventstore.AccountStream(c.Account) }

// Commands that come while streams of their shard are being read have theirs read together.
func TestStreamsAreReadTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		ledger, s := b.slowly(t)
		var all []<-chan error
		var names []string
		for n, c := range b.strangers(10) {
			all = append(all, reserve(t, ledger, c, n))
			names = append(names, stream(c))
		}
		require.Equal(t, [][]string{names[:1]}, s.asked)
		slices.Sort(names[1:])
		require.Equal(t, names[1:], s.next())
		require.Nil(t, s.next())
		for _, done := range all {
			require.Equal(t, domain.CodeNotFound, domain.CodeOf(<-done))
		}
		rests(t, ledger)
	})
}

// A history of many pages is read by itself, in turn with what others need, also where its first page was among theirs.
func TestALongHistoryHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.lengthen(t, 3*streamPage+1)
		ledger, s := b.slowly(t)
		others := b.strangers(5)
		first := reserve(t, ledger, others[0], 1)
		long := reserve(t, ledger, b.caller, 2)
		beside := reserve(t, ledger, others[1], 3)
		both := []string{stream(b.caller), stream(others[1])}
		slices.Sort(both)
		require.Equal(t, both, s.next())
		require.Error(t, <-first)
		late := reserve(t, ledger, others[2], 4)
		require.Equal(t, []string{stream(others[1]), stream(others[2])}, s.next(), "before the long one's second page")
		require.Equal(t, []string{stream(b.caller)}, s.next())
		require.Error(t, <-beside)
		require.Error(t, <-late)
		later := reserve(t, ledger, others[3], 5)
		require.Equal(t, []string{stream(others[3])}, s.next())
		last := reserve(t, ledger, others[4], 6)
		require.Equal(t, []string{stream(b.caller)}, s.next(), "by itself, though it is not the only one that waits")
		require.Error(t, <-later)
		require.Equal(t, []string{stream(others[4])}, s.next())
		require.Equal(t, []string{stream(b.caller)}, s.next())
		require.Error(t, <-last)
		require.Nil(t, s.next())
		require.NoError(t, <-long)
		rests(t, ledger)
	})
}

// A page is filled in the order of names. Who comes last in it is read soon all the same, though others keep coming
// whose histories fill it.
func TestTheLastNameIsReadSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		all := b.strangers(10)
		first, others, last := all[0], all[1:9], all[9]
		for n, c := range others {
			open := commands.OpenAccount{Grant: domain.GrantID(id("grt_", 50+n)), At: noon}
			_, err := b.ledger.OpenAccount(t.Context(), c, open)
			require.NoError(t, err)
			(&bundle{store: b.store, codec: b.codec, caller: c}).lengthen(t, streamPage+1)
		}
		ledger, s := b.slowly(t)
		answers := []<-chan error{reserve(t, ledger, first, 1)}
		unlucky := reserve(t, ledger, last, 2)
		served := false
		for n, c := range others {
			answers = append(answers, reserve(t, ledger, c, 3+n))
			s.next()
			select {
			case err := <-unlucky:
				served = domain.CodeOf(err) == domain.CodeNotFound
			default:
			}
		}
		require.True(t, served)
		close(s.proceed)
		for _, done := range answers {
			<-done
		}
		rests(t, ledger)
	})
}

// What cannot be read of one account is no matter of those that are read with it.
func TestWhatCannotBeReadHurtsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		all := b.strangers(2)
		unit := eventstore.Unit{Account: all[1].Account, Events: []eventstore.NewEvent{{
			Stream: stream(all[1]), Version: 1, Type: "account.nonsense.v1", Data: []byte("{}"), Metadata: []byte("{}"),
		}}}
		_, err := storetest.Append(t.Context(), b.store, eventstore.ShardOf(all[1].Account, b.store.Shards()), unit)
		require.NoError(t, err)
		ledger, s := b.slowly(t)
		first := reserve(t, ledger, all[0], 1)
		broken, sound := reserve(t, ledger, all[1], 2), reserve(t, ledger, b.caller, 3)
		require.Len(t, s.next(), 2)
		require.Error(t, <-first)
		require.Nil(t, s.next())
		require.ErrorContains(t, <-broken, "nonsense")
		require.NoError(t, <-sound)
		rests(t, ledger)
	})
}

// Two accounts that ask for one stream each have it read for themselves, one after the other.
func TestOneStreamForTwoAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 2))
		require.NoError(t, err)
		ledger, s := b.slowly(t)
		others := b.strangers(2)
		cancel := func(c commands.Caller) <-chan error {
			done := later(func() error {
				_, err := ledger.CancelGeneration(t.Context(), c, gen(1), nil, noon)
				return err
			})
			synctest.Wait()
			return done
		}
		first := reserve(t, ledger, others[0], 1)
		mine, theirs := cancel(b.caller), cancel(others[1])
		require.Contains(t, s.next(), stream(b.caller))
		require.Error(t, <-first)
		require.Contains(t, s.next(), stream(others[1]))
		require.NoError(t, <-mine)
		require.Nil(t, s.next())
		require.Equal(t, domain.CodeNotFound, domain.CodeOf(<-theirs))
		rests(t, ledger)
	})
}

// A stream of one's own is read once. That of another account is read for each command: nobody tells this one's state
// what its owner has done since.
func TestWhatBelongsToOthersIsNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 2))
	require.NoError(t, err)
	ledger, s := b.slowly(t)
	close(s.proceed)
	readings := func(c commands.Caller) (n int) {
		s.asked = nil
		for range 3 {
			_, err := ledger.CancelGeneration(t.Context(), c, gen(1), nil, noon)
			require.Equal(t, c.Account != b.caller.Account, domain.CodeOf(err) == domain.CodeNotFound)
		}
		for _, names := range s.asked {
			if slices.Contains(names, eventstore.GenerationStream(gen(1))) {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, readings(b.caller))
	require.Equal(t, 3, readings(b.strangers(1)[0]))
}
