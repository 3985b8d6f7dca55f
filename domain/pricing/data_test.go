package pricing_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/pricing"
)

// TestBookIsSound holds what every version of the book must hold: its own defaults are accepted.
func TestBookIsSound(t *testing.T) {
	t.Parallel()
	book := pricing.Current()
	require.NotEmpty(t, book.Version)
	keys := map[string]bool{}
	for _, m := range book.Models {
		require.False(t, keys[m.Key], "%s twice", m.Key)
		keys[m.Key] = true
		require.NotEmpty(t, m.Name)
		require.Equal(t, pricing.PoolGPU, m.Pool)
		require.Positive(t, m.UnitCredits)
		require.Positive(t, m.UnitMillis)
		require.Zero(t, m.Size.Min%pricing.SizeStep)
		require.LessOrEqual(t, m.Count.Max, pricing.CountMax)
		require.NoError(t, m.Check(pricing.Terms{
			Operation: m.Operations[0], Width: m.Size.Default, Height: m.Size.Default, Steps: m.Steps.Default,
			Count: m.Count.Default,
		}))
		require.NoError(t, m.CheckParams(pricing.Params{
			Guidance: m.Guidance.Default, Scheduler: m.Schedulers[0], NegativePrompt: m.NegativePrompt,
		}))
		found, err := book.Model(m.Key)
		require.NoError(t, err)
		require.Equal(t, m, found)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	sdxl, err := pricing.Current().Model("sdxl-1.0")
	require.NoError(t, err)
	schnell, err := pricing.Current().Model("flux-schnell")
	require.NoError(t, err)
	tests := []struct {
		name   string
		model  pricing.Model
		params pricing.Params
		field  string // "" if accepted
	}{
		{"least", sdxl, pricing.Params{Guidance: 1, Scheduler: "ddim"}, ""},
		{"most", sdxl, pricing.Params{Guidance: 20, Scheduler: "euler", NegativePrompt: true}, ""},
		{"too little", sdxl, pricing.Params{Guidance: 0.99, Scheduler: "euler"}, "/guidance"},
		{"too much", sdxl, pricing.Params{Guidance: 20.01, Scheduler: "euler"}, "/guidance"},
		{"no number", sdxl, pricing.Params{Guidance: math.NaN(), Scheduler: "euler"}, "/guidance"},
		{"no such scheduler", sdxl, pricing.Params{Guidance: 7, Scheduler: "heun"}, "/scheduler"},
		{"no scheduler", sdxl, pricing.Params{Guidance: 7}, "/scheduler"},
		{"no guidance", schnell, pricing.Params{Scheduler: "euler"}, ""},
		{"guidance where there is none", schnell, pricing.Params{Guidance: 1, Scheduler: "euler"}, "/guidance"},
		{"no negative prompt", schnell, pricing.Params{Scheduler: "euler", NegativePrompt: true}, "/negative_prompt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := test.model.CheckParams(test.params)
			if test.field == "" {
				require.NoError(t, err)
				return
			}
			requireField(t, err, test.field)
		})
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	tiers := map[domain.Tier]bool{}
	var before pricing.Plan
	for _, p := range pricing.Plans() {
		require.NoError(t, p.Tier.Check())
		require.False(t, tiers[p.Tier], "two plans for %s", p.Tier)
		tiers[p.Tier] = true
		require.Greater(t, p.Slots, before.Slots, "a dearer plan gives more slots")
		require.GreaterOrEqual(t, p.CreditLine, domain.Credits(0))
		before = p

		found, err := pricing.PlanByKey(p.Key)
		require.NoError(t, err)
		require.Equal(t, p, found)
	}
	require.Len(t, tiers, len(domain.Tiers()))

	free, err := pricing.PlanByKey(pricing.PlanFree)
	require.NoError(t, err)
	require.Equal(t, domain.Credits(100), free.Credits)
	require.Zero(t, *free.MonthlyCents)
	_, err = pricing.PlanByKey("gold")
	requireField(t, err, "/plan")
}

func TestRedeem(t *testing.T) {
	t.Parallel()
	require.Equal(t, 15*time.Minute, pricing.QuoteTTL, "the API promises it")
	expires := time.Date(2026, 1, 1, 0, 15, 0, 0, time.UTC)
	quote := pricing.Quote{
		Account: "acc_1", Expires: expires,
		Terms: pricing.Terms{Operation: "o", Model: "m", Width: 8, Height: 8, Steps: 1, Count: 1},
	}
	last := expires.Add(-1)
	require.NoError(t, quote.Redeem("acc_1", quote.Terms, last))
	require.Equal(t, domain.CodeQuoteExpired, domain.CodeOf(quote.Redeem("acc_1", quote.Terms, expires)))
	require.Equal(t, domain.CodeQuoteMismatch, domain.CodeOf(quote.Redeem("acc_2", quote.Terms, last)))
	require.Equal(t, domain.CodeQuoteMismatch, domain.CodeOf(quote.Redeem("acc_2", quote.Terms, expires)))
	for _, change := range []func(*pricing.Terms){
		func(t *pricing.Terms) { t.Operation = "" }, func(t *pricing.Terms) { t.Model = "" },
		func(t *pricing.Terms) { t.Width = 0 }, func(t *pricing.Terms) { t.Height = 0 },
		func(t *pricing.Terms) { t.Steps = 0 }, func(t *pricing.Terms) { t.Count = 0 },
	} {
		other := quote.Terms
		change(&other)
		require.Equal(t, domain.CodeQuoteMismatch, domain.CodeOf(quote.Redeem("acc_1", other, last)))
	}
}
