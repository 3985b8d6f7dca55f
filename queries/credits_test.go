package queries_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/queries"
)

// at returns when an event of an account happened.
func at(t *testing.T, e domain.Event) time.Time {
	t.Helper()
	switch e := e.(type) {
	case account.Opened:
		return e.At
	case account.CreditsGranted:
		return e.At
	case account.CreditsReserved:
		return e.At
	case account.ReservationExtended:
		return e.At
	case account.CreditsSettled:
		return e.At
	case account.CreditsReleased:
		return e.At
	case account.ReservationExpired:
		return e.At
	case account.GrantExpired:
		return e.At
	case account.TierChanged:
		return e.At
	}
	require.Fail(t, "an event without time", "%T", e)
	return time.Time{}
}

// stateAt folds what had happened by a time and lets time do the rest.
func stateAt(t *testing.T, c *projectiontest.Customer, when time.Time) *account.State {
	t.Helper()
	s := account.Initial()
	for _, e := range c.Facts {
		if !at(t, e).After(when) {
			s = account.Evolve(s, e)
		}
	}
	return s.At(when)
}

// requireBalance compares a balance with the domain.
func requireBalance(t *testing.T, s *account.State, b queries.Balance) {
	t.Helper()
	require.Equal(t, s.Totals, account.Totals{
		Issuance: -b.Granted, Available: b.Available + b.Scheduled, Reserved: b.Reserved, Consumed: b.Consumed,
		Breakage: b.Expired,
	}, "at %s", b.At)
	require.Equal(t, s.LineUsed, b.CreditLineUsed)
	require.Equal(t, s.Limits.CreditLine, b.CreditLine)
	require.Equal(t, b.Granted, b.Available+b.Scheduled+b.Reserved+b.Consumed+b.Expired)
	anything := account.Use{Model: "flux-dev", Operation: "text_to_image"}
	require.Equal(t, s.Spendable(anything, b.At), b.Available+b.CreditLineUsed+max(0, b.CreditLine-b.CreditLineUsed))
	alive := s.Grants()
	require.GreaterOrEqual(t, len(b.Grants), len(alive))
	for i, g := range b.Grants {
		require.Equal(t, g.Amount, g.RepaidLine+g.Available+g.Reserved+g.Consumed+g.Expired, "%+v", g)
		if i >= len(alive) {
			require.Zero(t, g.Available+g.Reserved, "the domain knows no more of %s", g.Grant)
			continue
		}
		want := alive[i]
		got := account.Grant{
			ID: g.Grant, Source: account.Source(g.Source), Priority: g.Priority, Sequence: want.Sequence,
			Effective: g.EffectiveAt, Expires: g.ExpiresAt, Scope: want.Scope, Available: g.Available, Reserved: g.Reserved,
		}
		require.Equal(t, want, got, "grants must come in draw order")
		require.ElementsMatch(t, want.Scope.Models, g.Models)
	}
}

func TestBalanceIsWhatTheDomainSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		f := newFixture(t, 10+seed, 400)
		random := rand.New(rand.NewPCG(seed, seed))
		span := int64(f.Now.Sub(projectiontest.Start()) / time.Second)
		for _, c := range f.Accounts {
			times := []time.Time{projectiontest.Start(), f.Now, f.Now.AddDate(10, 0, 0)}
			for range 30 {
				after := random.Int64N(span + span/3) // a part of them lies in the future
				times = append(times, projectiontest.Start().Add(time.Duration(after)*time.Second))
			}
			for range 10 { // exactly at an event, and right before it
				happened := at(t, c.Facts[random.IntN(len(c.Facts))])
				times = append(times, happened)
				if happened.After(projectiontest.Start()) {
					times = append(times, happened.Add(-time.Microsecond))
				}
			}
			for _, when := range times {
				b, _, err := f.service.Balance(t.Context(), f.read(c), when)
				require.NoError(t, err)
				requireBalance(t, stateAt(t, c, when), b)
			}
		}
	}
}

func TestBalanceNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 20, 200)
	c := f.Accounts[0]
	before := time.Now().Truncate(time.Microsecond)
	b, as, err := f.service.Balance(t.Context(), f.read(c), time.Time{})
	require.NoError(t, err)
	require.WithinRange(t, b.At, before, time.Now())
	require.Equal(t, f.head(t, c), as.Position)
	require.EqualValues(t, len(c.Facts), b.Version)
	_, _, err = f.service.Balance(t.Context(), f.read(c), projectiontest.Start().Add(-time.Second))
	requireCode(t, domain.CodeNotFound, err)
}

// The present is that of the newest event even where another server's clock is ahead of ours: first all events are in
// the past, then the newest are an hour ahead.
func TestBalanceNowIsWhatTheDomainSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		f := newFixture(t, 70+seed, 200)
		for range 2 {
			for _, c := range f.Accounts {
				state := account.Initial()
				for _, e := range c.Facts {
					state = account.Evolve(state, e)
				}
				b, _, err := f.service.Balance(t.Context(), f.read(c), time.Time{})
				require.NoError(t, err)
				requireBalance(t, state.At(b.At), b)
			}
			f.Now = time.Now().UTC().Truncate(time.Second).Add(time.Hour)
			f.Play(100)
			f.catchUp(t, balance.New())
		}
	}
}

func TestAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 21, 200)
	for _, c := range f.Accounts {
		a, as, err := f.service.Account(t.Context(), f.read(c))
		require.NoError(t, err)
		require.Equal(t, queries.Account{
			ID: c.ID, Name: "이름 name", Plan: c.State.Plan, Tier: c.State.Tier, Slots: c.State.Limits.Slots,
			CreditLine: c.State.Limits.CreditLine, OpenedAt: projectiontest.Start(), Version: int64(len(c.Facts)),
		}, a)
		require.Equal(t, f.head(t, c), as.Position)
		require.False(t, as.Stale)
	}
}

func TestStatementIsAChain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 22, 400)
	kinds := map[string]bool{}
	for _, c := range f.Accounts {
		lines := all(t, 7, func(p queries.Page) ([]queries.Line, string, error) {
			page, _, err := f.service.Statement(t.Context(), f.read(c), queries.StatementQuery{Page: p})
			return page.Lines, page.Next, err
		})
		slices.Reverse(lines)
		moving := slices.DeleteFunc(slices.Clone(c.Facts), func(e domain.Event) bool {
			_, moves := e.(domain.Posted)
			return !moves
		})
		require.Len(t, lines, len(moving))
		var available, reserved domain.Credits
		for i, l := range lines {
			kinds[l.Kind] = true
			require.Equal(t, moving[i].EventName(), l.Event)
			require.Equal(t, at(t, moving[i]), l.At)
			require.Equal(t, available, l.AvailableBefore)
			require.Equal(t, reserved, l.ReservedBefore)
			available, reserved = l.AvailableAfter, l.ReservedAfter
			requirePostings(t, l)
		}
		require.Equal(t, c.State.Totals.Available, available)
		require.Equal(t, c.State.Totals.Reserved, reserved)
	}
	require.Len(t, kinds, 6, "the history must have every kind of line")
}

func requirePostings(t *testing.T, l queries.Line) {
	t.Helper()
	sums := map[domain.Book]domain.Credits{}
	var sum domain.Credits
	for _, p := range l.Postings {
		require.Equal(t, l.Position, p.Position)
		sums[p.Book] += p.Amount
		sum += p.Amount
	}
	require.Zero(t, sum)
	require.Equal(t, l.AvailableAfter-l.AvailableBefore, sums[domain.BookAvailable])
	require.Equal(t, l.ReservedAfter-l.ReservedBefore, sums[domain.BookReserved])
	if l.Kind == "settled" {
		require.Equal(t, l.Amount, sums[domain.BookConsumed])
	}
}

func TestStatementOfAGeneration(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 23, 300)
	for _, c := range f.Accounts {
		for _, job := range c.Generations {
			q := queries.StatementQuery{Generation: job.ID}
			page, _, err := f.service.Statement(t.Context(), f.read(c), q)
			require.NoError(t, err)
			require.NotEmpty(t, page.Lines)
			for _, l := range page.Lines {
				require.Equal(t, job.ID, l.Generation)
			}
			require.Equal(t, "reserved", page.Lines[len(page.Lines)-1].Kind)
		}
	}
}

func TestUsageIsWhatEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 24, 500)
	days := queries.UsageQuery{From: projectiontest.Start(), To: f.Now, By: queries.UsageBy{Day: true, Model: true}}
	crossed := 0
	for _, c := range f.Accounts {
		report, _, err := f.service.Usage(t.Context(), f.read(c), days)
		require.NoError(t, err)
		rows := report.Rows
		var ended, succeeded, images, gpus int64
		var credits domain.Credits
		for _, row := range rows {
			ended, succeeded, images = ended+row.Generations, succeeded+row.Succeeded, images+row.Images
			gpus, credits = gpus+row.GPUMS, credits+row.Credits
		}
		var wantEnded, wantSucceeded, wantImages int64
		for _, job := range c.Generations {
			if job.State.Status.Final() {
				wantEnded++
			}
			if n := int64(len(job.State.Images)); n > 0 {
				wantSucceeded, wantImages = wantSucceeded+1, wantImages+n
			}
		}
		require.Equal(t, wantEnded, ended)
		require.Equal(t, wantSucceeded, succeeded)
		require.Equal(t, wantImages, images)
		require.Equal(t, 5000*wantSucceeded, gpus)
		require.Equal(t, c.State.Totals.Consumed-c.Metered, credits)
		require.True(t, slices.IsSortedFunc(rows, func(a, b queries.UsageRow) int {
			return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Model, b.Model))
		}))
		if len(rows) > 0 && !rows[0].Day.Equal(rows[len(rows)-1].Day) {
			crossed++
		}
		none, _, err := f.service.Usage(t.Context(), f.read(c), queries.UsageQuery{
			From: f.Now.AddDate(0, 0, 1), To: f.Now.AddDate(0, 0, 30),
		})
		require.NoError(t, err)
		require.Zero(t, none.Total)
		require.Empty(t, none.Rows)
	}
	require.Positive(t, crossed, "the history must have more than one day")
	_, _, err := f.service.Usage(t.Context(), f.read(f.Accounts[0]), queries.UsageQuery{From: days.To, To: days.From})
	requireInvalid(t, "to", err)
	_, _, err = f.service.Usage(t.Context(), f.read(f.Accounts[0]), queries.UsageQuery{
		From: days.From, To: days.From.AddDate(0, 0, queries.UsageDaysMax+1),
	})
	requireInvalid(t, "to", err)
}
