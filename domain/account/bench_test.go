package account_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// The size of the account in the benchmarks.
const (
	benchGrants = 5
	benchOpen   = 50
)

// busyAccount returns the history of an account with benchGrants grants and benchOpen open reservations.
func busyAccount(tb testing.TB) []domain.Event {
	tb.Helper()
	open := opened
	open.Limits.Slots = 2 * benchOpen
	history := []domain.Event{open}
	s := account.Decider().Fold(account.Initial(), history...)
	do := func(c account.Command) {
		events, err := account.Decide(s, c)
		require.NoError(tb, err)
		history, s = append(history, events...), account.Decider().Fold(s, events...)
	}
	for n := range benchGrants {
		c := goodGrant()
		c.Grant, c.Amount = id[domain.GrantID]("grt_", n+1), domain.MaxCredits/benchGrants
		c.Expires = epoch.AddDate(1, n, 0)
		do(c)
	}
	for n := range benchOpen {
		do(benchReserve(n + 1))
	}
	return history
}

func benchReserve(n int) account.Reserve {
	c := goodReserve()
	c.Reservation, c.Generation = id[domain.ReservationID]("res_", n), id[domain.GenerationID]("gen_", n)
	c.Expires = epoch.Add(time.Duration(n+1) * time.Hour)
	return c
}

// BenchmarkDecideEvolve measures one reservation and its settlement on a busy account.
func BenchmarkDecideEvolve(b *testing.B) {
	s := account.Decider().Fold(account.Initial(), busyAccount(b)...)
	reserve := benchReserve(benchOpen + 1)
	settle := account.Settle{Reservation: reserve.Reservation, Charge: 40, At: epoch}
	commands := []account.Command{reserve, settle}
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range commands {
			events, err := account.Decide(s, c)
			if err != nil {
				b.Fatal(err)
			}
			s = account.Decider().Fold(s, events...)
		}
	}
}

// BenchmarkFold measures how long it takes to read a busy account of 10000 events from its history.
func BenchmarkFold(b *testing.B) {
	const size = 10_000
	history := busyAccount(b)
	s := account.Decider().Fold(account.Initial(), history...)
	for n := benchOpen + 1; len(history) < size; n++ {
		reserve := benchReserve(n)
		for _, c := range []account.Command{
			reserve, account.Settle{Reservation: reserve.Reservation, Charge: 30, At: epoch},
		} {
			events, err := account.Decide(s, c)
			require.NoError(b, err)
			history, s = append(history, events...), account.Decider().Fold(s, events...)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		account.Decider().Fold(account.Initial(), history...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(history)), "ns/event")
}
