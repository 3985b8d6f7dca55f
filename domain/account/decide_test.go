package account_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/domaintest"
)

var opened = account.Opened{
	Account: id[domain.AccountID]("acc_", 1), Plan: "pro", Tier: domain.TierPro, Limits: account.Limits{Slots: 4},
	At: epoch,
}

func goodGrant() account.GrantCredits {
	return account.GrantCredits{
		Grant: id[domain.GrantID]("grt_", 1), Source: account.SourcePlan, Priority: account.PriorityUsual, Amount: 100,
		Effective: epoch, Expires: epoch.Add(48 * time.Hour), At: epoch,
	}
}

func goodReserve() account.Reserve {
	return account.Reserve{
		Reservation: id[domain.ReservationID]("res_", 1), Generation: id[domain.GenerationID]("gen_", 1), Amount: 40,
		Use: account.Use{Model: "a", Operation: "x"}, Expires: epoch.Add(time.Hour), At: epoch,
	}
}

func granted(c account.GrantCredits) account.CreditsGranted {
	return account.CreditsGranted{
		Grant: c.Grant, Source: c.Source, Priority: c.Priority, Amount: c.Amount, Effective: c.Effective,
		Expires: c.Expires, Scope: c.Scope, Reason: c.Reason, At: c.At,
	}
}

// What a state remembers decides how often it is worth a snapshot.
func TestThingsAreGrantsAndReservations(t *testing.T) {
	t.Parallel()
	second := goodGrant()
	second.Grant = id[domain.GrantID]("grt_", 2)
	plain := goodReserve()
	plain.Reservation, plain.Generation = id[domain.ReservationID]("res_", 2), ""
	s := domaintest.Given(t, account.Decider(), opened)
	before := s.State().Things()
	s.When(goodGrant()).When(second).When(goodReserve()).When(plain)
	require.NoError(t, s.Err())
	require.Equal(t, 2, s.State().Open())
	require.Greater(t, s.State().Things(), before+3, "two grants and two reservations")
	require.True(t, s.State().ForGeneration(goodReserve().Reservation))
	require.False(t, s.State().ForGeneration(plain.Reservation))
	require.False(t, s.State().ForGeneration(id[domain.ReservationID]("res_", 3)))
}

func TestOpenChecksItsFields(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*account.Open){
		"account":        func(c *account.Open) { c.Account = "acc_1" },
		"tier":           func(c *account.Open) { c.Tier = "gold" },
		"no slots":       func(c *account.Open) { c.Limits.Slots = 0 },
		"negative line":  func(c *account.Open) { c.Limits.CreditLine = -1 },
		"line too large": func(c *account.Open) { c.Limits.CreditLine = domain.MaxCredits + 1 },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := account.Open(opened)
			spoil(&c)
			domaintest.Given(t, account.Decider()).When(c).Refused(domain.CodeInvalid)
		})
	}
	c := account.Open(opened)
	c.Limits = account.Limits{Slots: 1, CreditLine: domain.MaxCredits}
	domaintest.Given(t, account.Decider()).When(c).Then(account.Opened(c))
}

func TestGrantChecksItsFields(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*account.GrantCredits){
		"id":                   func(c *account.GrantCredits) { c.Grant = account.LineGrant },
		"source":               func(c *account.GrantCredits) { c.Source = "gift" },
		"priority too low":     func(c *account.GrantCredits) { c.Priority = account.PriorityFirst - 1 },
		"priority too high":    func(c *account.GrantCredits) { c.Priority = account.PriorityLast + 1 },
		"zero amount":          func(c *account.GrantCredits) { c.Amount = 0 },
		"negative amount":      func(c *account.GrantCredits) { c.Amount = -1 },
		"amount too large":     func(c *account.GrantCredits) { c.Amount = domain.MaxCredits + 1 },
		"expires at once":      func(c *account.GrantCredits) { c.Expires = c.At },
		"never in effect":      func(c *account.GrantCredits) { c.Effective = c.Expires },
		"expired in year zero": func(c *account.GrantCredits) { c.Expires = time.Unix(0, 0).UTC() },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := goodGrant()
			spoil(&c)
			domaintest.Given(t, account.Decider(), opened).When(c).Refused(domain.CodeInvalid)
		})
	}
	for _, spoil := range []func(*account.GrantCredits){
		func(c *account.GrantCredits) { c.Priority = account.PriorityFirst },
		func(c *account.GrantCredits) { c.Priority = account.PriorityLast },
		func(c *account.GrantCredits) { c.Amount = 1 },
		func(c *account.GrantCredits) { c.Amount = domain.MaxCredits },
		func(c *account.GrantCredits) { c.Expires = time.Time{} },
		func(c *account.GrantCredits) { c.Effective = time.Time{} },
		func(c *account.GrantCredits) { c.Source = account.SourceAdjustment },
		func(c *account.GrantCredits) { c.Source = account.SourceCompensation },
	} {
		c := goodGrant()
		spoil(&c)
		domaintest.Given(t, account.Decider(), opened).When(c).Then(granted(c))
	}
}

func TestGrantsOfAnAccountAreBounded(t *testing.T) {
	t.Parallel()
	most, one := goodGrant(), goodGrant()
	most.Amount, one.Grant, one.Amount = domain.MaxCredits, id[domain.GrantID]("grt_", 2), 1
	domaintest.Given(t, account.Decider(), opened).When(most).Then(granted(most)).When(one).Refused(domain.CodeInvalid)
}

func TestReserveChecksItsFields(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*account.Reserve){
		"id":               func(c *account.Reserve) { c.Reservation = "res_" },
		"generation":       func(c *account.Reserve) { c.Generation = "x" },
		"zero amount":      func(c *account.Reserve) { c.Amount = 0 },
		"amount too large": func(c *account.Reserve) { c.Amount = domain.MaxCredits + 1 },
		"expires at once":  func(c *account.Reserve) { c.Expires = c.At },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := goodReserve()
			spoil(&c)
			domaintest.Given(t, account.Decider(), opened, granted(goodGrant())).When(c).Refused(domain.CodeInvalid)
		})
	}
}

// TestRefusalsAreOrdered holds the promise of Decide: the account, the fields, the limits, the credits.
func TestRefusalsAreOrdered(t *testing.T) {
	t.Parallel()
	c := goodReserve()
	c.Amount = 0
	domaintest.Given(t, account.Decider()).When(c).Refused(domain.CodeNotFound)

	full := opened
	full.Limits.Slots = 1
	s := domaintest.Given(t, account.Decider(), full, granted(goodGrant())).When(goodReserve())
	s.When(c).Refused(domain.CodeInvalid)
	c.Amount = 1000
	s.When(c).Refused(domain.CodeConflict)
	c.Reservation = id[domain.ReservationID]("res_", 2)
	s.When(c).Refused(domain.CodeConcurrencyLimit)
}

// TestReservationsAreForgotten shows that the state does not grow with the reservations that expired.
func TestReservationsAreForgotten(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, account.Decider(), opened, account.CreditsGranted{
		Grant: id[domain.GrantID]("grt_", 1), Amount: 100, At: epoch,
	})
	again := goodReserve()
	expire := func(reservation int, at time.Time) {
		c := goodReserve()
		c.Reservation, c.At, c.Expires = id[domain.ReservationID]("res_", reservation), at.Add(-time.Hour), at
		s.When(c).When(account.ExpireDue{At: at})
		require.NoError(t, s.Err())
	}
	first := epoch.Add(time.Hour)
	expire(1, first)
	expire(2, first.Add(window))
	again.At, again.Expires = first.Add(window), first.Add(window+time.Hour)
	s.When(again).Refused(domain.CodeConflict)
	expire(3, first.Add(window+1))
	again.At, again.Expires = first.Add(window+1), first.Add(window+time.Hour)
	s.When(again)
	require.NoError(t, s.Err())
}

func TestCopiesDoNotReachTheState(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, account.Decider(), opened, granted(goodGrant())).When(goodReserve()).State()
	s.Grants()[0].Available = 7
	require.Equal(t, domain.Credits(60), s.Grants()[0].Available)
	r, open := s.Reservation(goodReserve().Reservation)
	require.True(t, open)
	r.Expires = epoch
	r, _ = s.Reservation(goodReserve().Reservation)
	require.Equal(t, goodReserve().Expires, r.Expires)
	_, open = s.Reservation("res_")
	require.False(t, open)
}

func TestCheckFindsBrokenStates(t *testing.T) {
	t.Parallel()
	reserved := account.CreditsReserved{
		Reservation: "res_1", Amount: 40, Slices: []account.Slice{{Grant: goodGrant().Grant, Amount: 40}}, At: epoch,
	}
	line := account.CreditsReserved{Reservation: "res_2", Slices: []account.Slice{{Grant: account.LineGrant, Amount: 5}}}
	tests := []struct {
		name  string
		spoil func(*account.State) *account.State
		want  string
	}{
		{"negative grant", func(s *account.State) *account.State {
			return account.Evolve(s, account.GrantExpired{Grant: goodGrant().Grant, Amount: 61})
		}, "-1 available"},
		{"returned too much", func(s *account.State) *account.State {
			return account.Evolve(s, account.CreditsReleased{
				Reservation: "res_1", Slices: []account.Slice{{Grant: goodGrant().Grant, Amount: 41}},
			})
		}, "-1 reserved"},
		{"credits from nowhere", func(s *account.State) *account.State {
			s.Totals.Available++
			return s
		}, "the books add up to 1"},
		{"negative line", func(s *account.State) *account.State {
			s.LineUsed = -1
			return s
		}, "the used credit line is -1"},
		{"line reserved but not used", func(s *account.State) *account.State {
			s = account.Evolve(s, line)
			s.LineUsed -= 1
			return s
		}, "the open reservations hold 5 of it"},
		{"available of no grant", func(s *account.State) *account.State {
			s.Totals.Available++
			s.Totals.Issuance--
			return s
		}, "61 available"},
		{"reserved of no reservation", func(s *account.State) *account.State {
			s.Totals.Reserved++
			s.Totals.Issuance--
			return s
		}, "41 reserved"},
		{"reserved twice", func(s *account.State) *account.State {
			s = account.Evolve(s, reserved)
			s.Totals.Reserved -= 40
			s.Totals.Issuance += 40
			return s
		}, "the grants say 80 reserved"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := account.Decider().Fold(account.Initial(), opened, granted(goodGrant()), reserved)
			require.NoError(t, account.Check(s))
			require.ErrorContains(t, account.Check(test.spoil(s)), test.want)
		})
	}
}

func TestProgrammingErrorsPanic(t *testing.T) {
	t.Parallel()
	s := account.Evolve(account.Initial(), opened)
	require.PanicsWithValue(t, "account: command <nil> is not decided", func() { _, _ = account.Decide(s, nil) })
	require.PanicsWithValue(t, "account: event <nil> is not folded", func() { account.Evolve(s, nil) })
}
