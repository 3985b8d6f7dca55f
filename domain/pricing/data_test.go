package pricing_test

import (
	"math"
	"slices"
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
			Operation: m.Operations[0], Guidance: m.Guidance.Default, Scheduler: m.Schedulers[0],
		}))
		require.NoError(t, m.CheckParams(fullParams(m)))
		found, err := book.Model(m.Key)
		require.NoError(t, err)
		require.Equal(t, m, found)
	}
}

// fullParams uses everything that a model takes.
func fullParams(m pricing.Model) pricing.Params {
	p := pricing.Params{
		Operation: pricing.OperationImageToImage, Prompt: "a (red)1.3 barn", Guidance: m.Guidance.Default,
		Scheduler: m.Schedulers[0], Source: true, Strength: m.Strength.Default,
	}
	if m.NegativePrompt {
		p.NegativePrompt = "dogs"
	}
	for _, key := range m.LoRAs.Keys {
		p.LoRAs = append(p.LoRAs, pricing.LoRA{Key: key, Weight: m.LoRAs.Weight.Default})
	}
	for _, kind := range m.Controls.Kinds {
		p.Controls = append(p.Controls, pricing.Control{
			Kind: kind.Key, Preprocess: kind.Preprocess, Weight: m.Controls.Weight.Default, End: 1,
		})
	}
	return p
}

func TestParams(t *testing.T) {
	t.Parallel()
	sdxl, err := pricing.Current().Model("sdxl-1.0")
	require.NoError(t, err)
	schnell, err := pricing.Current().Model("flux-schnell")
	require.NoError(t, err)
	plain := pricing.Params{Operation: pricing.OperationTextToImage, Prompt: "a cat", Guidance: 7, Scheduler: "euler"}
	fast := plain
	fast.Guidance = 0
	full := fullParams(sdxl)
	tests := []struct {
		name   string
		model  pricing.Model
		params pricing.Params
		change func(*pricing.Params)
		field  string // "" if accepted
	}{
		{"least", sdxl, plain, func(p *pricing.Params) { p.Guidance, p.Scheduler = 1, "ddim" }, ""},
		{"most", sdxl, plain, func(p *pricing.Params) { p.Guidance, p.NegativePrompt = 20, "dogs" }, ""},
		{"too little", sdxl, plain, func(p *pricing.Params) { p.Guidance = 0.99 }, "/guidance"},
		{"too much", sdxl, plain, func(p *pricing.Params) { p.Guidance = 20.01 }, "/guidance"},
		{"no number", sdxl, plain, func(p *pricing.Params) { p.Guidance = math.NaN() }, "/guidance"},
		{"no such scheduler", sdxl, plain, func(p *pricing.Params) { p.Scheduler = "heun" }, "/scheduler"},
		{"no scheduler", sdxl, plain, func(p *pricing.Params) { p.Scheduler = "" }, "/scheduler"},
		{"no guidance", schnell, fast, func(*pricing.Params) {}, ""},
		{"guidance where there is none", schnell, fast, func(p *pricing.Params) { p.Guidance = 1 }, "/guidance"},
		{"no negative prompt", schnell, fast, func(p *pricing.Params) { p.NegativePrompt = "x" }, "/negative_prompt"},
		{"weights that cannot be read", sdxl, plain, func(p *pricing.Params) { p.Prompt = "(cat" }, "/prompt"},
		{"neither in the other", sdxl, plain, func(p *pricing.Params) { p.NegativePrompt = "cat)" }, "/negative_prompt"},
		{"parentheses where they are text", schnell, fast, func(p *pricing.Params) { p.Prompt = ":) (cat" }, ""},
		{"everything", sdxl, full, func(*pricing.Params) {}, ""},
		{"no source", sdxl, full, func(p *pricing.Params) { p.Source = false }, "/source"},
		{"a source for nothing", sdxl, plain, func(p *pricing.Params) { p.Source = true }, "/source"},
		{"a strength for nothing", sdxl, plain, func(p *pricing.Params) { p.Strength = 0.5 }, "/strength"},
		{"too weak", sdxl, full, func(p *pricing.Params) { p.Strength = 0 }, "/strength"},
		{"too strong", sdxl, full, func(p *pricing.Params) { p.Strength = 1.01 }, "/strength"},
		{"a LoRA of another model", sdxl, full, func(p *pricing.Params) { p.LoRAs[1].Key = "flux-realism" }, "/loras/1/key"},
		{"a LoRA twice", sdxl, full, func(p *pricing.Params) { p.LoRAs[1] = p.LoRAs[0] }, "/loras/1/key"},
		{"a heavy LoRA", sdxl, full, func(p *pricing.Params) { p.LoRAs[0].Weight = 3 }, "/loras/0/weight"},
		{"many LoRAs", sdxl, full, func(p *pricing.Params) { p.LoRAs = make([]pricing.LoRA, 5) }, "/loras"},
		{"no such control", sdxl, full, func(p *pricing.Params) { p.Controls[0].Kind = "pose" }, "/controls/0/kind"},
		{"a photograph as depth", sdxl, full, func(p *pricing.Params) {
			p.Controls[1].Preprocess = true
		}, "/controls/1/preprocess"},
		{"a control without steps", sdxl, full, func(p *pricing.Params) { p.Controls[0].End = 0 }, "/controls/0/end"},
		{"a control of no number", sdxl, full, func(p *pricing.Params) {
			p.Controls[0].Begin = math.NaN()
		}, "/controls/0/end"},
		{"a heavy control", sdxl, full, func(p *pricing.Params) { p.Controls[1].Weight = 2.1 }, "/controls/1/weight"},
		{"a control of a model without", schnell, fast, func(p *pricing.Params) {
			p.Controls = []pricing.Control{{Kind: "canny"}}
		}, "/controls/0/kind"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			params := test.params
			params.LoRAs, params.Controls = slices.Clone(params.LoRAs), slices.Clone(params.Controls)
			test.change(&params)
			err := test.model.CheckParams(params)
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
		func(t *pricing.Terms) { t.Controls = 1 },
	} {
		other := quote.Terms
		change(&other)
		require.Equal(t, domain.CodeQuoteMismatch, domain.CodeOf(quote.Redeem("acc_1", other, last)))
	}
}
