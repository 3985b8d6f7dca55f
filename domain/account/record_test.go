package account_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/domaintest"
)

// TestEventsSayEverything holds that each decision records all that its command says. The laws look at credits alone.
func TestEventsSayEverything(t *testing.T) {
	t.Parallel()
	grant, reserve := goodGrant(), goodReserve()
	grant.Reason, grant.Scope = "welcome", account.Scope{Models: []string{"a"}, Operations: []string{"x"}}
	reserve.PriceBook, reserve.Quote = "book", "quote"
	second := reserve
	second.Reservation, second.Generation = id[domain.ReservationID]("res_", 2), id[domain.GenerationID]("gen_", 2)
	slice := func(n domain.Credits) []account.Slice { return []account.Slice{{Grant: grant.Grant, Amount: n}} }
	reserved := account.CreditsReserved{
		Reservation: reserve.Reservation, Generation: reserve.Generation, Amount: 40, Slices: slice(40), Use: reserve.Use,
		PriceBook: "book", Quote: "quote", Expires: reserve.Expires, At: epoch,
	}
	at := epoch.Add(time.Minute)

	s := domaintest.Given(t, account.Decider(), opened).When(grant).Then(granted(grant))
	s.When(reserve).Then(reserved).When(second)
	s.When(account.Extend{Reservation: reserve.Reservation, Expires: at.Add(time.Hour), At: at}).
		Then(account.ReservationExtended{Reservation: reserve.Reservation, Expires: at.Add(time.Hour), At: at})
	s.When(account.Settle{Reservation: reserve.Reservation, Charge: 30, Policy: "policy", At: at}).
		Then(account.CreditsSettled{
			Reservation: reserve.Reservation, Generation: reserve.Generation, Charged: slice(30), Returned: slice(10),
			Policy: "policy", At: at,
		})
	s.When(account.Release{Reservation: second.Reservation, Reason: "failed", Policy: "policy", At: at}).
		Then(account.CreditsReleased{
			Reservation: second.Reservation, Generation: second.Generation, Slices: slice(40), Reason: "failed",
			Policy: "policy", At: at,
		})
	tier := account.ChangeTier{Plan: "studio", Tier: domain.TierStudio, Limits: account.Limits{Slots: 9}, At: at}
	s.When(tier).Then(account.TierChanged(tier))
}

// TestStateShowsTheAccount holds what the state shows besides credits.
func TestStateShowsTheAccount(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, account.Decider(), opened)
	show := func() account.Opened {
		return account.Opened{
			Account: s.State().ID, Plan: s.State().Plan, Tier: s.State().Tier, Limits: s.State().Limits, At: epoch,
		}
	}
	require.Equal(t, opened, show())
	tier := account.ChangeTier{Plan: "studio", Tier: domain.TierStudio, Limits: account.Limits{Slots: 9}, At: epoch}
	s.When(tier).When(goodGrant())
	changed := opened
	changed.Plan, changed.Tier, changed.Limits = tier.Plan, tier.Tier, tier.Limits
	require.Equal(t, changed, show())
	require.Equal(t, []account.Grant{{
		ID: goodGrant().Grant, Source: account.SourcePlan, Priority: 50, Sequence: 1, Effective: epoch,
		Expires: goodGrant().Expires, Available: 100,
	}}, s.State().Grants())
}

// TestLastCreditFallsDueInTime has a grant with a single credit end before a larger one that is drawn first.
func TestLastCreditFallsDueInTime(t *testing.T) {
	t.Parallel()
	first, second := goodGrant(), goodGrant()
	first.Priority = account.PriorityFirst
	second.Grant, second.Amount, second.Expires = id[domain.GrantID]("grt_", 2), 1, first.Expires.Add(-time.Hour)
	expired := func(c account.GrantCredits) domain.Event {
		return account.GrantExpired{Grant: c.Grant, Amount: c.Amount, Expired: c.Expires, At: first.Expires}
	}
	domaintest.Given(t, account.Decider(), opened, granted(first), granted(second)).
		When(account.ExpireDue{At: first.Expires}).Then(expired(second), expired(first))
}

// TestLaterStatesAreTheirOwn goes on from a state that At has shown, as a what-if does: the account must not notice.
func TestLaterStatesAreTheirOwn(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, account.Decider(), opened).When(goodGrant()).When(goodReserve())
	later := s.State().At(goodReserve().Expires)
	require.Zero(t, later.Open())
	other := goodGrant()
	other.Grant = id[domain.GrantID]("grt_", 2)
	account.Evolve(later, granted(other))
	s.When(other).Then(granted(other))
}

// TestSnapshotHasTheShapeOfItsFormat holds the stored form of a state to its format. A golden is never edited: another
// shape needs another SnapshotFormat, or processes would read each other's snapshots wrongly.
func TestSnapshotHasTheShapeOfItsFormat(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, account.Decider(), opened).When(goodGrant()).When(goodReserve())
	second := goodReserve()
	second.Reservation, second.Expires = id[domain.ReservationID]("res_", 2), epoch.Add(2*time.Hour)
	s.When(second).When(account.ExpireDue{At: epoch.Add(time.Hour)})
	golden, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("snapshot-v%d.json", account.SnapshotFormat)))
	require.NoError(t, err, "a new format needs its golden")
	data, err := json.Marshal(s.State().Snapshot())
	require.NoError(t, err)
	var now bytes.Buffer
	require.NoError(t, json.Indent(&now, data, "", "  "))
	require.Equal(t, string(golden), now.String()+"\n")
}
