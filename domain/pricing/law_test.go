package pricing_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/pricing"
)

func TestMain(m *testing.M) { domaintest.Main(m) }

func within(t *rapid.T, r pricing.Range, step int, name string) int {
	return step * rapid.IntRange((r.Min+step-1)/step, r.Max/step).Draw(t, name)
}

func drawTerms(t *rapid.T) (pricing.Model, pricing.Terms) {
	m := rapid.SampledFrom(pricing.Current().Models).Draw(t, "model")
	return m, pricing.Terms{
		Operation: rapid.SampledFrom(m.Operations).Draw(t, "operation"), Model: m.Key,
		Width: within(t, m.Size, m.SizeStep, "width"), Height: within(t, m.Size, m.SizeStep, "height"),
		Steps: within(t, m.Steps, 1, "steps"), Count: within(t, m.Count, 1, "count"),
		Controls: rapid.IntRange(0, m.Controls.Max).Draw(t, "controls"),
	}
}

func price(t require.TestingT, terms pricing.Terms) pricing.Price {
	p, err := pricing.Current().Price(terms)
	require.NoError(t, err)
	return p
}

// TestPriceLaws works out every price a second time, in fractions, and then raises each term by itself.
func TestPriceLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, terms := drawTerms(t)
		p := price(t, terms)

		share := big.NewRat(int64(terms.Width)*int64(terms.Height)*int64(terms.Steps), 1024*1024*int64(m.Steps.Default))
		share.Mul(share, big.NewRat(int64(100+terms.Controls*m.Controls.Percent), 100))
		each := p.Breakdown[0].Unit
		require.Equal(t, up(share, int64(m.UnitCredits)), int64(each), "one image costs its share, rounded up")
		require.Positive(t, each)
		require.Equal(t, each*domain.Credits(terms.Count), p.Credits, "images cost the same each")
		require.Equal(t, up(share, m.UnitMillis)*int64(terms.Count), p.Millis)
		require.NoError(t, p.Credits.CheckAmount("credits"))

		var sum domain.Credits
		for _, line := range p.Breakdown {
			require.Equal(t, line.Unit*domain.Credits(line.Images), line.Credits)
			sum += line.Credits
		}
		require.Equal(t, p.Credits, sum, "the lines must add up")
		checkMonotone(t, m, terms, p)
	})
}

func up(share *big.Rat, whole int64) int64 {
	r := new(big.Rat).Mul(share, big.NewRat(whole, 1))
	n := new(big.Int).Add(r.Num(), r.Denom())
	return new(big.Int).Div(n.Sub(n, big.NewInt(1)), r.Denom()).Int64()
}

func checkMonotone(t *rapid.T, m pricing.Model, terms pricing.Terms, p pricing.Price) {
	raise := map[string]func(*pricing.Terms){
		"width":    func(t *pricing.Terms) { t.Width += m.SizeStep },
		"height":   func(t *pricing.Terms) { t.Height += m.SizeStep },
		"steps":    func(m *pricing.Terms) { m.Steps++ },
		"count":    func(m *pricing.Terms) { m.Count++ },
		"controls": func(m *pricing.Terms) { m.Controls++ },
	}
	for name, more := range raise {
		raised := terms
		more(&raised)
		if m.Check(raised) != nil {
			continue
		}
		require.GreaterOrEqual(t, price(t, raised).Credits, p.Credits, "more %s must not cost less", name)
		require.GreaterOrEqual(t, price(t, raised).Millis, p.Millis, "more %s must not take less", name)
	}
}

func TestDefaultImageCostsTheUnitPrice(t *testing.T) {
	t.Parallel()
	for _, m := range pricing.Current().Models {
		p := price(t, pricing.Terms{
			Operation: m.Operations[0], Model: m.Key, Width: 1024, Height: 1024, Steps: m.Steps.Default, Count: 1,
		})
		require.Equal(t, m.UnitCredits, p.Credits)
		require.Equal(t, m.UnitMillis, p.Millis)
	}
}

func TestTheBreakdownSaysWhatIsPaidFor(t *testing.T) {
	t.Parallel()
	sdxl, err := pricing.Current().Model("sdxl-1.0")
	require.NoError(t, err)
	terms := pricing.Terms{
		Operation: sdxl.Operations[0], Model: sdxl.Key, Width: 512, Height: 768, Steps: 20, Count: 2, Controls: 1,
	}
	require.Equal(t, sdxl.Name+", 512×768, 20 steps, 1 control", price(t, terms).Breakdown[0].Label)
	terms.Controls = 0
	require.Equal(t, sdxl.Name+", 512×768, 20 steps", price(t, terms).Breakdown[0].Label)
}

// TestBounds holds that both ends of every range are accepted and what lies beyond is refused at its field.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, m := range pricing.Current().Models {
		for _, edge := range []struct{ size, steps, count int }{
			{m.Size.Min, m.Steps.Min, m.Count.Min}, {m.Size.Max, m.Steps.Max, m.Count.Max},
		} {
			good := pricing.Terms{
				Operation: m.Operations[0], Model: m.Key, Width: edge.size, Height: edge.size, Steps: edge.steps,
				Count: edge.count,
			}
			price(t, good)
		}
		for field, spoil := range map[string]func(*pricing.Terms){
			"/operation": func(t *pricing.Terms) { t.Operation = "guess" },
			"/model":     func(t *pricing.Terms) { t.Model = "guess" },
			"/width":     func(t *pricing.Terms) { t.Width = m.Size.Max + pricing.SizeStep },
			"/height":    func(t *pricing.Terms) { t.Height++ },
			"/steps":     func(t *pricing.Terms) { t.Steps = m.Steps.Min - 1 },
			"/count":     func(t *pricing.Terms) { t.Count = m.Count.Max + 1 },
			"/controls":  func(t *pricing.Terms) { t.Controls = m.Controls.Max + 1 },
		} {
			bad := pricing.Terms{
				Operation: m.Operations[0], Model: m.Key, Width: 512, Height: 512, Steps: m.Steps.Default, Count: 1,
			}
			spoil(&bad)
			_, err := pricing.Current().Price(bad)
			requireField(t, err, field)
		}
	}
}

func requireField(t require.TestingT, err error, field string) {
	var refusal *domain.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, field, refusal.Field)
	want := domain.CodeUnsupported
	switch field {
	case "/model":
		want = domain.CodeModelUnavailable
	case "/plan":
		want = domain.CodeInvalid
	}
	require.Equal(t, want, refusal.Code)
}

func TestNonsenseTermsAreRefused(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, terms := drawTerms(t)
		any := rapid.Int().Draw(t, "any")
		for _, field := range []*int{&terms.Width, &terms.Height, &terms.Steps, &terms.Count, &terms.Controls} {
			if rapid.Bool().Draw(t, "spoil") {
				*field = any
			}
		}
		_, err := pricing.Current().Price(terms)
		require.Equal(t, m.Check(terms) == nil, err == nil)
		if err != nil {
			require.Equal(t, domain.CodeUnsupported, domain.CodeOf(err))
		}
	})
}
