package pricing_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain/pricing"
)

func TestWeights(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"", "a cat", "a (cat)", "a (cat)1.3", "(cat)2", "(cat)2.000", "(cat)0", "(cat)++", "(cat)--- dog", "cat++",
		"(a (b)1.1 c)0.9", `\(cat\)`, `a \( cat`, "(cat).", "(cat).5", "(cat), (dog)", "C++", `("cat")1.2`, "(cat)1.", `\`,
		"the end.(really)", "고양이 (눈)1.2",
	} {
		require.NoError(t, pricing.CheckWeights("/prompt", good), good)
	}
	for _, bad := range []string{
		"(cat", "cat)", ":)", "(((cat)))", "(cat)2.1", "(cat)3", "(cat)10", "(cat)1.2.3", "(cat)1.2345", "(cat)99",
		`("a","b").and(1,2)`, `("a","b").blend(1)`, "cat.swap(dog)", "withLora(x)", "useLora(x,1)",
		"(cat)+++++++++", "(cat)++2",
		strings.Repeat("(", 4000), `(cat\)`,
	} {
		requireField(t, pricing.CheckWeights("/prompt", bad), "/prompt")
	}
}

// TestWeightsLaws holds that a prompt of any characters is judged, and that escaping every parenthesis makes it text.
func TestWeightsLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune(`ab ()+-1.2"\,é`))).Draw(t, "prompt")
		if err := pricing.CheckWeights("/negative_prompt", text); err != nil {
			requireField(t, err, "/negative_prompt")
		}
		plain := strings.NewReplacer(`\`, ``, `(`, `\(`, `)`, `\)`).Replace(text)
		require.NoError(t, pricing.CheckWeights("/prompt", plain))
	})
}
