package settlement_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/settlement"
)

func TestMain(m *testing.M) { domaintest.Main(m) }

// TestPolicyIsComplete holds that there is exactly one rule for every end and stage. Only what runs can succeed.
func TestPolicyIsComplete(t *testing.T) {
	t.Parallel()
	type end struct {
		terminal settlement.Terminal
		stage    settlement.Stage
	}
	rules := map[end]int{}
	for _, r := range settlement.Current().Rules {
		rules[end{r.Terminal, r.Stage}]++
		require.NotEmpty(t, r.Why)
		require.GreaterOrEqual(t, r.Share, settlement.Basis(0))
		require.LessOrEqual(t, r.Share, settlement.Basis(10_000))
	}
	want := map[end]int{{settlement.Succeeded, settlement.StageRunning}: 1}
	for _, terminal := range []settlement.Terminal{
		settlement.Failed, settlement.Blocked, settlement.Cancelled, settlement.Expired,
	} {
		want[end{terminal, settlement.StageQueued}] = 1
		want[end{terminal, settlement.StageRunning}] = 1
	}
	require.Equal(t, want, rules)
}

func TestCharge(t *testing.T) {
	t.Parallel()
	const queued, running = settlement.StageQueued, settlement.StageRunning
	succeeded := func(delivered, requested int) settlement.Outcome {
		return settlement.Outcome{
			Terminal: settlement.Succeeded, Stage: running, Requested: requested, Delivered: delivered,
		}
	}
	ended := func(terminal settlement.Terminal, stage settlement.Stage) settlement.Outcome {
		return settlement.Outcome{Terminal: terminal, Stage: stage, Requested: 4}
	}
	tests := []struct {
		name     string
		outcome  settlement.Outcome
		reserved domain.Credits
		want     domain.Credits
	}{
		{"all images", succeeded(4, 4), 40, 40},
		{"three of four", succeeded(3, 4), 40, 30},
		{"uneven, in part", succeeded(2, 3), 11, 6},
		{"uneven, in full", succeeded(3, 3), 11, 11},
		{"more than asked for", succeeded(3, 2), 11, 11},
		{"failed", ended(settlement.Failed, running), 40, 0},
		{"blocked", ended(settlement.Blocked, running), 40, 0},
		{"cancelled early", ended(settlement.Cancelled, queued), 40, 0},
		{"cancelled late", ended(settlement.Cancelled, running), 41, 20},
		{"cancelled at the smallest price", ended(settlement.Cancelled, running), 1, 0},
		{"expired", ended(settlement.Expired, running), 40, 0},
		{"the most credits", succeeded(1, 1), domain.MaxCredits, domain.MaxCredits},
		{"half of the most", ended(settlement.Cancelled, running), domain.MaxCredits, domain.MaxCredits / 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, settlement.Current().Charge(test.outcome, test.reserved))
		})
	}
}

// TestChargeLaws works out every charge a second time, in fractions, over any policy.
func TestChargeLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.SampledFrom(settlement.Current().Rules).Draw(t, "rule")
		rule.Share = settlement.Basis(rapid.IntRange(0, 10_000).Draw(t, "share"))
		policy := settlement.Policy{Rules: []settlement.Rule{rule}}
		requested := rapid.IntRange(1, 8).Draw(t, "requested")
		delivered := rapid.IntRange(0, requested).Draw(t, "delivered")
		reserved := domain.Credits(rapid.Int64Range(1, int64(domain.MaxCredits)).Draw(t, "reserved"))

		charge := policy.Charge(settlement.Outcome{
			Terminal: rule.Terminal, Stage: rule.Stage, Requested: requested, Delivered: delivered,
		}, reserved)

		counted := reserved
		if rule.Terminal == settlement.Succeeded && delivered < requested {
			counted = reserved / domain.Credits(requested) * domain.Credits(delivered)
		}
		exact := new(big.Int).Mul(big.NewInt(int64(counted)), big.NewInt(int64(rule.Share)))
		require.Equal(t, new(big.Int).Div(exact, big.NewInt(10_000)).Int64(), int64(charge), "rounded down")
		require.GreaterOrEqual(t, charge, domain.Credits(0))
		require.LessOrEqual(t, charge, reserved)
		if rule.Share == 10_000 && counted == reserved {
			require.Equal(t, reserved, charge, "a full delivery is charged in full")
		}
	})
}

func TestChargeWithoutRulePanics(t *testing.T) {
	t.Parallel()
	outcome := settlement.Outcome{Terminal: settlement.Succeeded, Stage: settlement.StageQueued, Requested: 1}
	require.PanicsWithValue(t, "settlement: no rule for succeeded while queued", func() {
		settlement.Current().Charge(outcome, 1)
	})
}

func TestByVersion(t *testing.T) {
	t.Parallel()
	policy, err := settlement.ByVersion(settlement.Current().Version)
	require.NoError(t, err)
	require.Equal(t, settlement.Current(), policy)
	_, err = settlement.ByVersion("")
	require.ErrorContains(t, err, `no settlement policy ""`)
}
