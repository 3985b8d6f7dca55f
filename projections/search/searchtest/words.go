package searchtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// background is for checks that run inside of rapid, which has no context.
var background = context.Background()

// testWords asks for words in an index of prompts that are numbered from 0.
func testWords(t *testing.T, e search.Engine, promise Promise) {
	prompts := []string{
		"눈 덮인 산 위의 고양이", "고양이가 창가에서 잔다", "길고양이 두 마리", "강아지, 눈물",
		"A cat on a snowy mountain",
		"Two cats; the fox's den", "東京タワーの夜景", "雪", "café au lait 4K", "눈이 내리는 밤", "첫눈",
		"고양 양이터", // the pairs of two words are no neighbours of each other
	}
	for n, prompt := range prompts {
		put(t, e, document(n, prompt))
	}
	put(t, e, document(20, "a plain picture", "겨울", "Black Cat"))
	for words, want := range map[string][]int{
		"고양이":  {0, 1, 2},
		"고양이는": {0, 1, 2}, // without its particle
		"고양이를": {0, 1, 2}, "고양이에게": {0, 1, 2},
		"창가":     {1},
		"산":      {0},
		"덮인 고양이": {0}, "눈 고양이": {0},
		"강아지 고양이": {},
		"눈물":      {3},
		"겨울":      {20},
		"cat":     {4, 5, 20}, "CATS": {4, 5, 20},
		"snow":     {},
		"snowy":    {4},
		"mountain": {4}, "mountains": {4},
		"fox":     {5},
		"cat fox": {5},
		"東京":      {6}, "夜": {6}, "タワー": {6},
		"雪":    {7},
		"café": {8}, "cafe\u0301": {8},
		"4k": {8}, "４Ｋ": {8},
		"dog":             {},
		"black cat plain": {20},
	} {
		requireFound(t, e, search.Query{Words: words}, want)
	}
	testMorphemes(t, e, promise)
}

// testMorphemes asks for what engines differ in.
func testMorphemes(t *testing.T, e search.Engine, promise Promise) {
	for words, want := range map[string]struct{ pairs, morphemes []int }{
		"눈":   {pairs: []int{0, 3, 9}, morphemes: []int{0, 3, 9, 10}}, // in pairs: a word that begins with it
		"내렸다": {pairs: []int{}, morphemes: []int{9}},
		"잤다":  {pairs: []int{}, morphemes: []int{1}},
		"창":   {pairs: []int{1}, morphemes: []int{1}},
		"길":   {pairs: []int{2}, morphemes: []int{2}},
		"물":   {pairs: []int{}, morphemes: []int{3}},
	} {
		if promise.Morphemes {
			require.Subset(t, find(t, e, search.Query{Words: words}), images(want.pairs...), words)
			requireFound(t, e, search.Query{Words: words}, want.morphemes)
		} else {
			requireFound(t, e, search.Query{Words: words}, want.pairs)
		}
	}
}

func images(numbers ...int) []domain.ImageID {
	all := make([]domain.ImageID, 0, len(numbers))
	for _, n := range numbers {
		all = append(all, document(n, "").Image)
	}
	return all
}

func testNegative(t *testing.T, e search.Engine) {
	first, second := document(1, "a cat"), document(2, "blurry cat")
	first.NegativePrompt, second.NegativePrompt = "blurry, 흐림", "text"
	put(t, e, first, second)
	requireFound(t, e, search.Query{Negative: "blurry"}, []int{1})
	requireFound(t, e, search.Query{Negative: "흐림", Words: "cats"}, []int{1})
	requireFound(t, e, search.Query{Words: "text"}, nil)
}

// hostile is what query languages, scripts and terminals read as more than words. None of it is in any document.
var hostile = []string{
	"*:*", "*", "?", "/.*/", "+foo -bar", "NOT cat", "cat OR foo", "account:" + string(stranger), "_id:*",
	"_exists_:account", `{"match_all":{}}`, `"`, `\`, "(((", "cat~2", "c*t", "secret", "\x00", "cat\x00foo",
	"\xff\xfe", "..", "' OR 1=1 --", "[* TO *]", "{{.}}", "%00", "\u202e", `"}},{"match_all":{}}`, "\n{\"index\":{}}\n",
	"<script>alert(1)</script>", "${jndi:ldap://x}", "ctx._source.remove('x')", "doc['account'].value", "a&b=c#d",
	"../_all/_search", "cat^1000000", "(cat OR cat)~10000", "\u0000\u0001\u001b[31m", "𝔠𝔞𝔱 foo", "�",
	strings.Repeat("a", 10_000), strings.Repeat("고", 10_000), strings.Repeat("a ", 5_000), strings.Repeat("*a", 3000),
	strings.Repeat("(", 3000), strings.Repeat("?", 3000), strings.Repeat("가 나 ", 3000), strings.Repeat("́", 3000),
}

// testHostile asks with what query languages read as operators. Nothing may fail, and nothing may be found that does
// not hold the words.
func testHostile(t *testing.T, e search.Engine) {
	theirs := document(2, "secret account plans foo bar")
	theirs.Account = stranger
	put(t, e, document(1, "plain cat"), theirs)
	for _, words := range hostile {
		requireFound(t, e, search.Query{Words: words}, nil)
		requireFound(t, e, search.Query{Negative: words}, nil)
		requireFound(t, e, search.Query{Tags: []string{words}}, nil)
		requireFound(t, e, search.Query{Model: words}, nil)
	}
	requireFound(t, e, search.Query{Words: "+cat"}, []int{1})
	requireFound(t, e, search.Query{Words: "-cat"}, []int{1})
	requireFound(t, e, search.Query{Words: "cat*"}, []int{1})
	requireFound(t, e, search.Query{Words: "  \t "}, []int{1})
	for n, text := range hostile { // as a document, too
		put(t, e, document(100+n, text, "t"+text[:min(len(text), 100)]))
	}
	require.Len(t, find(t, e, search.Query{}), len(hostile)+1)
}

// testAnyQuestion asks anything of an index with documents of anything.
func testAnyQuestion(t *testing.T, e search.Engine) {
	theirs, version := document(2, ""), int64(0)
	theirs.Account = stranger
	rapid.Check(t, func(r *rapid.T) {
		version++
		theirs.Version = version
		theirs.Prompt, theirs.Tags = rapid.String().Draw(r, "prompt"), []string{rapid.StringN(1, 50, -1).Draw(r, "tag")}
		require.NoError(r, e.Index(background, []search.Document{theirs}))
		ask := search.Query{
			Account: owner, Words: rapid.String().Draw(r, "words"), Negative: rapid.String().Draw(r, "negative"),
			Tags: rapid.SliceOfN(rapid.String(), 0, 3).Draw(r, "tags"), Model: rapid.String().Draw(r, "model"), Limit: 1,
			Facets: true, Sort: rapid.SampledFrom([]search.Sort{"", search.SortNewest, search.SortOldest}).Draw(r, "sort"),
		}
		result, err := e.Search(background, ask)
		require.NoError(r, err)
		require.Zero(r, result)
		ask = search.Query{Account: stranger, Words: theirs.Prompt, Tags: theirs.Tags, Limit: 1}
		result, err = e.Search(background, ask)
		require.NoError(r, err)
		require.Subset(r, append(slices.Clone(result.Images), theirs.Image), result.Images)
	})
}
