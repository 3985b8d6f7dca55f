package account_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/domaintest"
)

type scenario = domaintest.Scenario[*account.State, account.Command]

// laws drives three accounts with the same random commands: one as it is used, one that a sweeper visits at random
// times, and the model.
type laws struct {
	now   time.Time
	usual *scenario
	swept *scenario
	model *model
	made  int // ids given out
	ends  map[domain.ReservationID]map[string]int
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := start(t)
		t.Repeat(map[string]func(*rapid.T){
			"":         l.check,
			"time":     l.pass,
			"grant":    func(t *rapid.T) { l.do(t, l.grant(t)) },
			"reserve":  func(t *rapid.T) { l.do(t, l.reserve(t)) },
			"reserve2": func(t *rapid.T) { l.do(t, l.reserve(t)) },
			"settle":   func(t *rapid.T) { l.do(t, l.settle(t)) },
			"late":     func(t *rapid.T) { l.do(t, l.settle(t)) },
			"release": func(t *rapid.T) {
				l.do(t, account.Release{Reservation: l.anyReservation(t), Reason: "failed", At: l.now})
			},
			"extend": func(t *rapid.T) {
				l.do(t, account.Extend{Reservation: l.anyReservation(t), Expires: l.later(t), At: l.now})
			},
			"sweep": func(t *rapid.T) { l.do(t, account.ExpireDue{At: l.now}) },
			"tier":  func(t *rapid.T) { l.do(t, l.changeTier(t)) },
			"open":  func(t *rapid.T) { l.do(t, account.Open{Account: "acc_x", At: l.now}) },
		})
	})
}

// TestLawsUnderClockSkew sends commands from machines whose clocks disagree by hours. Answers may then differ from
// those of one clock, but the invariants must hold: the scenario checks them with every command.
func TestLawsUnderClockSkew(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := start(t)
		right := l.now
		send := func(c account.Command) {
			l.usual.When(c)
			if l.usual.Err() == nil {
				l.model.do(c) // remembers which ids there are
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				right = right.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "hours")) * time.Hour)
				l.now = right.Add(time.Duration(rapid.IntRange(-6, 6).Draw(t, "skew")) * time.Hour)
			},
			"grant":   func(t *rapid.T) { send(l.grant(t)) },
			"reserve": func(t *rapid.T) { send(l.reserve(t)) },
			"settle":  func(t *rapid.T) { send(l.settle(t)) },
			"release": func(t *rapid.T) { send(account.Release{Reservation: l.anyReservation(t), At: l.now}) },
			"sweep":   func(*rapid.T) { send(account.ExpireDue{At: l.now}) },
			"tier":    func(t *rapid.T) { send(l.changeTier(t)) },
			"extend": func(t *rapid.T) {
				send(account.Extend{Reservation: l.anyReservation(t), Expires: l.later(t), At: l.now})
			},
		})
	})
}

func start(t *rapid.T) *laws {
	limits := drawLimits(t)
	open := account.Open{
		Account: id[domain.AccountID]("acc_", 1), Plan: "pro", Tier: domain.TierPro, Limits: limits, At: epoch,
	}
	l := &laws{now: epoch, model: &model{limits: limits}, ends: map[domain.ReservationID]map[string]int{}}
	l.usual = domaintest.Given(t, account.Decider()).When(open).Then(account.Opened(open))
	l.swept = domaintest.Given(t, account.Decider()).When(open)
	return l
}

func id[I ~string](prefix string, n int) I { return I(fmt.Sprintf("%s%026d", prefix, n)) }

func (l *laws) next() int { l.made++; return l.made }

func drawLimits(t *rapid.T) account.Limits {
	return account.Limits{
		Slots:      rapid.IntRange(1, 5).Draw(t, "slots"),
		CreditLine: rapid.SampledFrom([]domain.Credits{0, 0, 10, 50}).Draw(t, "line"),
	}
}

// later returns a time that lies within some hours, at times now or before. Whole hours make ends meet.
func (l *laws) later(t *rapid.T) time.Time {
	return l.now.Add(time.Duration(rapid.IntRange(-1, 24).Draw(t, "hours")) * time.Hour)
}

// pass lets time go on, once in a while with a sweeper on the way.
func (l *laws) pass(t *rapid.T) {
	hours := rapid.SampledFrom([]int{0, 1, 2, 3, 5, 8, 13, 24, 71, 72}).Draw(t, "hours")
	sweep := rapid.IntRange(0, 2*hours).Draw(t, "sweep")
	for hour := range hours {
		l.now = l.now.Add(time.Hour)
		if hour == sweep {
			l.swept.When(account.ExpireDue{At: l.now})
			require.NoError(t, l.swept.Err())
		}
	}
}

func (l *laws) grant(t *rapid.T) account.Command {
	c := account.GrantCredits{
		Grant:    id[domain.GrantID]("grt_", l.next()),
		Source:   rapid.SampledFrom([]account.Source{account.SourcePlan, account.SourceTopUp}).Draw(t, "source"),
		Priority: rapid.SampledFrom([]int{0, 50, 50, 50, 100, 101, -1}).Draw(t, "priority"),
		Amount:   domain.Credits(rapid.IntRange(0, 60).Draw(t, "amount")),
		At:       l.now,
	}
	if len(l.model.grants) > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
		c.Grant = rapid.SampledFrom(l.model.grants).Draw(t, "grant").Grant
	}
	if rapid.Bool().Draw(t, "expires") {
		c.Expires = l.later(t)
	}
	if rapid.IntRange(0, 3).Draw(t, "effective") == 0 {
		c.Effective = l.later(t)
	}
	c.Scope.Models = rapid.SampledFrom([][]string{nil, nil, {"a"}, {"a", "b"}}).Draw(t, "models")
	c.Scope.Operations = rapid.SampledFrom([][]string{nil, nil, nil, {"x"}}).Draw(t, "operations")
	return c
}

func drawUse(t *rapid.T) account.Use {
	return account.Use{
		Model:     rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "model"),
		Operation: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "operation"),
	}
}

func (l *laws) reserve(t *rapid.T) account.Command {
	n := l.next()
	c := account.Reserve{
		Reservation: id[domain.ReservationID]("res_", n), Generation: id[domain.GenerationID]("gen_", n),
		Amount: domain.Credits(rapid.IntRange(0, 40).Draw(t, "amount")), Use: drawUse(t), Expires: l.later(t), At: l.now,
	}
	if rapid.IntRange(0, 3).Draw(t, "elsewhere") == 0 {
		c.Generation = ""
	}
	// An id is known as long as its reservation may be settled. After that it is the caller who never uses it again.
	if again := l.anyReservation(t); rapid.IntRange(0, 9).Draw(t, "again") == 0 {
		l.model.advance(l.now)
		if r := l.model.find(again); r != nil && (r.open() || r.late(l.now)) {
			c.Reservation = again
		}
	}
	return c
}

// anyReservation returns the id of a reservation that was made, or of none.
func (l *laws) anyReservation(t *rapid.T) domain.ReservationID {
	if n := len(l.model.reservations); n > 0 {
		recent := l.model.reservations[max(0, n-6):]
		return rapid.SampledFrom(recent).Draw(t, "reservation").Reservation
	}
	return id[domain.ReservationID]("res_", 0)
}

func (l *laws) settle(t *rapid.T) account.Command {
	c := account.Settle{Reservation: l.anyReservation(t), At: l.now}
	whole := domain.Credits(40)
	if r := l.model.find(c.Reservation); r != nil {
		whole = r.Amount
	}
	charges := []domain.Credits{0, whole / 3, whole / 2, whole - 1, whole, whole + 1, -1}
	c.Charge = rapid.SampledFrom(charges).Draw(t, "charge")
	return c
}

func (l *laws) changeTier(t *rapid.T) account.Command {
	c := account.ChangeTier{Plan: "pro", Tier: domain.TierPro, Limits: drawLimits(t), At: l.now}
	c.Limits.Slots -= rapid.SampledFrom([]int{0, 0, 0, 5}).Draw(t, "less")
	return c
}

// do sends a command to all three accounts: they must agree whether it is accepted.
func (l *laws) do(t *rapid.T, c account.Command) {
	before := l.usual.State().At(l.now).LineUsed
	l.model.advance(l.now)
	want := l.model.do(c)
	l.usual.When(c).Refused(want)
	l.swept.When(c).Refused(want)
	for _, e := range l.usual.Events() {
		l.ended(t, e)
		if settled, ok := e.(account.CreditsSettled); ok {
			l.settled(t, settled, c.(account.Settle))
		}
	}
	line := l.usual.State().Limits.CreditLine
	require.LessOrEqual(t, l.usual.State().At(l.now).LineUsed, max(before, line), "the line must not be overdrawn")
}

// ended counts the ends of reservations: a settlement may follow an expiry, nothing else may follow anything.
func (l *laws) ended(t *rapid.T, e domain.Event) {
	count := func(r domain.ReservationID, how string) {
		if l.ends[r] == nil {
			l.ends[r] = map[string]int{}
		}
		l.ends[r][how]++
		l.ends[r][""]++
		late := l.ends[r]["expired"] == 1 && l.ends[r]["late"] == 1 && how == "late"
		require.True(t, l.ends[r][""] == 1 || late && l.ends[r][""] == 2, "%s ended as %v", r, l.ends[r])
	}
	switch e := e.(type) {
	case account.CreditsSettled:
		how := "settled"
		if e.Late {
			how = "late"
		}
		count(e.Reservation, how)
	case account.CreditsReleased:
		count(e.Reservation, "released")
	case account.ReservationExpired:
		count(e.Reservation, "expired")
	}
}

func (l *laws) settled(t *rapid.T, e account.CreditsSettled, c account.Settle) {
	for _, p := range slices.Concat(e.Charged, e.Returned) {
		require.Positive(t, p.Amount)
	}
	reserved := l.model.find(e.Reservation).Amount
	charged := account.Total(e.Charged)
	require.LessOrEqual(t, charged, reserved)
	require.Equal(t, c.Charge, charged+e.Waived)
	if e.Late {
		require.Empty(t, e.Returned)
		return
	}
	require.Zero(t, e.Waived)
	require.Equal(t, reserved, charged+account.Total(e.Returned))
}

// check compares the accounts with the model, and the fold with itself.
func (l *laws) check(t *rapid.T) {
	l.model.advance(l.now)
	l.compare(t, l.usual.State().At(l.now))
	l.compare(t, l.swept.State().At(l.now))

	decider, history := account.Decider(), l.usual.History()
	again, err := domaintest.Recode(account.Events(), history...)
	require.NoError(t, err)
	require.Equal(t, l.usual.State(), decider.Fold(account.Initial(), again...), "JSON must not change the fold")

	at := rapid.IntRange(0, len(history)).Draw(t, "snapshot")
	snapshot := restored(t, decider.Fold(account.Initial(), history[:at]...))
	require.Equal(t, l.usual.State(), decider.Fold(snapshot, history[at:]...), "a snapshot must not change the fold")

	due, err := account.Decide(l.usual.State(), account.ExpireDue{At: l.now})
	require.NoError(t, err)
	swept := decider.Fold(decider.Fold(account.Initial(), history...), due...)
	require.Equal(t, swept, l.usual.State().At(l.now), "At must show what a sweeper would make visible")
}

// restored takes a state through its stored form.
func restored(t *rapid.T, s *account.State) *account.State {
	text, err := json.Marshal(s.Snapshot())
	require.NoError(t, err)
	var kept account.Snapshot
	require.NoError(t, json.Unmarshal(text, &kept))
	again := account.Restore(kept)
	require.Equal(t, s, again, "what is stored is the state")
	return again
}

func (l *laws) compare(t *rapid.T, s *account.State) {
	require.NoError(t, account.Check(s))
	require.Equal(t, l.model.totals(), s.Totals)
	require.Equal(t, l.model.lineUsed(), s.LineUsed)
	require.Equal(t, l.model.countOpen(), s.Open())
	require.Equal(t, l.model.limits, s.Limits)
	grants := map[domain.GrantID]account.Grant{}
	for _, g := range s.Grants() {
		grants[g.ID] = g
	}
	alive := 0
	for _, g := range l.model.grants {
		if l.model.left(g)+l.model.held(g.Grant) > 0 {
			alive++
		}
		require.Equal(t, l.model.left(g), grants[g.Grant].Available, "available of %s", g.Grant)
		require.Equal(t, l.model.held(g.Grant), grants[g.Grant].Reserved, "reserved of %s", g.Grant)
	}
	require.Len(t, grants, alive, "a grant with nothing left must be forgotten")
	for _, r := range l.model.reservations {
		got, open := s.Reservation(r.Reservation)
		require.Equal(t, r.open(), open)
		if open {
			require.Equal(t, r.held, got.Slices)
			require.Equal(t, r.Expires, got.Expires)
		}
	}
	use := drawUse(t)
	require.Equal(t, account.Total(l.model.draw(domain.MaxCredits, use, l.now)), s.Spendable(use, l.now))
}
