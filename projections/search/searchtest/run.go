package searchtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// The owners in the tests.
const (
	owner    domain.AccountID = "acc_00000000000000000000000001"
	stranger domain.AccountID = "acc_00000000000000000000000002"
)

// pageAll is more than any test puts in.
const pageAll = 1000

// Run checks what every engine must do. Open returns an empty engine that the test may change.
func Run(t *testing.T, open func(t *testing.T) search.Engine) {
	t.Helper()
	laws := map[string]func(*testing.T, search.Engine){
		"words":        testWords,
		"negative":     testNegative,
		"owners":       testOwners,
		"hostile":      testHostile,
		"filters":      testFilters,
		"order":        testOrder,
		"paging":       testPaging,
		"versions":     testVersions,
		"clear":        testClear,
		"bad requests": testBadRequests,
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			law(t, open(t))
		})
	}
}

// document returns the n-th document of the owner, made n minutes after midnight.
func document(n int, prompt string, tags ...string) search.Document {
	return search.Document{
		Image: domain.ImageID(fmt.Sprintf("img_%026d_0", n)), Account: owner, Prompt: prompt, Tags: tags,
		Model: "sdxl-1.0", Width: 1024, Height: 768, Seed: uint32(n), Version: 1,
		CreatedAt: time.Date(2026, 3, 1, 0, n, 0, 0, time.UTC),
	}
}

func put(t *testing.T, e search.Engine, docs ...search.Document) {
	t.Helper()
	require.NoError(t, e.Index(t.Context(), docs))
}

// find returns the images in the order of the answer, which must be complete.
func find(t *testing.T, e search.Engine, q search.Query) []domain.ImageID {
	t.Helper()
	if q.Account == "" {
		q.Account = owner
	}
	q.Limit = pageAll
	result, err := e.Search(t.Context(), q)
	require.NoError(t, err)
	require.Empty(t, result.Next)
	require.EqualValues(t, len(result.Images), result.Total)
	return result.Images
}

func testWords(t *testing.T, e search.Engine) {
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
		"고양이":             {0, 1, 2},
		"눈":               {0, 3, 9}, // a word that begins with it, not one that ends with it
		"산":               {0},
		"덮인 고양이":          {0},
		"눈 고양이":           {0},
		"강아지 고양이":         {},
		"눈물":              {3},
		"겨울":              {20},
		"cat":             {4, 5, 20},
		"CATS":            {4, 5, 20},
		"snow":            {},
		"snowy":           {4},
		"mountain":        {4},
		"fox":             {5},
		"cat fox":         {5},
		"東京":              {6},
		"夜":               {6},
		"タワー":             {6},
		"雪":               {7},
		"café":            {8},
		"cafe\u0301":      {8},
		"4k":              {8},
		"４Ｋ":              {8},
		"dog":             {},
		"black cat plain": {20},
	} {
		requireFound(t, e, search.Query{Words: words}, want)
	}
}

// requireFound compares without regard to order.
func requireFound(t *testing.T, e search.Engine, q search.Query, want []int) {
	t.Helper()
	got := find(t, e, q)
	slices.Sort(got)
	images := make([]domain.ImageID, 0, len(want))
	for _, n := range want {
		images = append(images, document(n, "").Image)
	}
	require.ElementsMatch(t, images, got, "%+v", q)
}

func testNegative(t *testing.T, e search.Engine) {
	first, second := document(1, "a cat"), document(2, "blurry cat")
	first.NegativePrompt, second.NegativePrompt = "blurry, 흐림", "text"
	put(t, e, first, second)
	requireFound(t, e, search.Query{Negative: "blurry"}, []int{1})
	requireFound(t, e, search.Query{Negative: "흐림", Words: "cats"}, []int{1})
	requireFound(t, e, search.Query{Words: "text"}, nil)
}

func testOwners(t *testing.T, e search.Engine) {
	mine, theirs := document(1, "shared words", "tag"), document(2, "shared words", "tag")
	theirs.Account = stranger
	put(t, e, mine, theirs)
	for _, q := range []search.Query{{}, {Words: "shared"}, {Tags: []string{"tag"}}, {Model: "sdxl-1.0"}} {
		requireFound(t, e, q, []int{1})
		q.Account = stranger
		requireFound(t, e, q, []int{2})
		q.Account = "acc_00000000000000000000000003"
		requireFound(t, e, q, nil)
	}
}

// testHostile asks with what query languages read as operators. Nothing may fail, and nothing may be found that does
// not hold the words.
func testHostile(t *testing.T, e search.Engine) {
	theirs := document(2, "secret account plans foo bar")
	theirs.Account = stranger
	put(t, e, document(1, "plain cat"), theirs)
	for _, words := range []string{
		"*:*", "*", "?", "/.*/", "+foo -bar", "NOT cat", "cat OR foo", "account:" + string(stranger), "_id:*",
		"_exists_:account", `{"match_all":{}}`, `"`, `\`, "(((", "cat~2", "c*t", "secret", "\x00", "cat\x00foo",
		"\xff\xfe", "..", "' OR 1=1 --", "[* TO *]", "{{.}}", "%00", "\u202e",
		strings.Repeat("a", 10_000), strings.Repeat("고", 10_000), strings.Repeat("a ", 5_000),
	} {
		requireFound(t, e, search.Query{Words: words}, nil)
		requireFound(t, e, search.Query{Negative: words}, nil)
		requireFound(t, e, search.Query{Tags: []string{words}}, nil)
		requireFound(t, e, search.Query{Model: words}, nil)
	}
	requireFound(t, e, search.Query{Words: "+cat"}, []int{1})
	requireFound(t, e, search.Query{Words: "-cat"}, []int{1})
	requireFound(t, e, search.Query{Words: "cat*"}, []int{1})
	requireFound(t, e, search.Query{Words: "  \t "}, []int{1})
}

func testFilters(t *testing.T, e search.Engine) {
	docs := []search.Document{
		document(0, "a cat", "Winter", "고양이"), document(1, "a cat", "winter night"), document(2, "a cat"),
		document(3, "a dog"),
	}
	docs[1].Model, docs[2].Width, docs[3].Height, docs[3].Favourite = "flux-dev", 512, 512, true
	docs[2].Seed = 4294967295
	put(t, e, docs...)
	yes, no, seed, small := true, false, uint32(4294967295), uint32(0)
	for want, queries := range map[string][]search.Query{
		"0":   {{Tags: []string{"winter"}}, {Tags: []string{"WINTER", "고양이"}}, {Seed: &small}},
		"1":   {{Model: "flux-dev"}, {Tags: []string{"Winter Night"}}},
		"2":   {{Width: 512}, {Seed: &seed}, {From: docs[2].CreatedAt, To: docs[3].CreatedAt}},
		"3":   {{Height: 512}, {Favourite: &yes}, {From: docs[3].CreatedAt}},
		"0 1": {{To: docs[2].CreatedAt}},
		"012": {{Favourite: &no}, {Words: "cat"}, {Words: "cat", Favourite: &no}},
		"":    {{Words: "cat", Favourite: &yes}, {Width: 1024, Height: 1024}, {Tags: []string{"win"}}, {Model: "flux"}},
	} {
		var numbers []int
		for _, digit := range strings.ReplaceAll(want, " ", "") {
			numbers = append(numbers, int(digit-'0'))
		}
		for _, q := range queries {
			requireFound(t, e, q, numbers)
		}
	}
}

func testOrder(t *testing.T, e search.Engine) {
	var newest []domain.ImageID
	for n := range 5 {
		put(t, e, document(n, "a lighthouse in the fog, with many other words around it"))
		newest = slices.Insert(newest, 0, document(n, "").Image)
	}
	require.Equal(t, newest, find(t, e, search.Query{}))
	put(t, e, document(9, "nothing of the kind"))
	best := document(7, "lighthouse")
	best.CreatedAt = best.CreatedAt.AddDate(-1, 0, 0)
	put(t, e, best)
	require.Equal(t, best.Image, find(t, e, search.Query{Words: "lighthouse"})[0], "the best match comes first")
}

func testPaging(t *testing.T, e search.Engine) {
	var docs []search.Document
	for n := range 23 {
		docs = append(docs, document(n, strings.Repeat("cat ", 1+n%4)+strings.Repeat("other words ", n%3)))
		docs[n].CreatedAt = docs[n/3*3].CreatedAt // some are made at the same time
	}
	put(t, e, docs...)
	for _, words := range []string{"", "cat"} {
		q := search.Query{Account: owner, Words: words, Limit: 5}
		var all []domain.ImageID
		for pages := 0; pages == 0 || q.After != ""; pages++ {
			require.Less(t, pages, 6)
			result, err := e.Search(t.Context(), q)
			require.NoError(t, err)
			require.EqualValues(t, len(docs), result.Total)
			all, q.After = append(all, result.Images...), result.Next
		}
		require.Equal(t, find(t, e, search.Query{Words: words}), all)
		require.Len(t, all, len(docs))
	}
}

func testVersions(t *testing.T, e search.Engine) {
	doc := document(1, "first")
	change := func(version int64, prompt string) {
		doc.Version, doc.Prompt = version, prompt
		put(t, e, doc)
	}
	change(5, "fifth")
	change(4, "fourth")
	change(5, "other")
	requireFound(t, e, search.Query{Words: "fifth"}, []int{1})
	requireFound(t, e, search.Query{Words: "fourth"}, nil)
	change(6, "sixth")
	requireFound(t, e, search.Query{Words: "fifth"}, nil)
	requireFound(t, e, search.Query{Words: "sixth"}, []int{1})

	remove := func(version int64) {
		require.NoError(t, e.Delete(t.Context(), []search.Removal{{Image: doc.Image, Version: version}}))
	}
	remove(5)
	requireFound(t, e, search.Query{}, []int{1})
	remove(7)
	requireFound(t, e, search.Query{}, nil)
	change(6, "back")
	requireFound(t, e, search.Query{}, nil)
	remove(7)

	twice := []search.Document{document(2, "old"), document(2, "new")}
	twice[0].Version, twice[1].Version = 2, 3
	put(t, e, twice...)
	requireFound(t, e, search.Query{Words: "new"}, []int{2})
	requireFound(t, e, search.Query{Words: "old"}, nil)
	put(t, e)
	require.NoError(t, e.Delete(t.Context(), nil))
}

func testClear(t *testing.T, e search.Engine) {
	before, err := e.ID(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, before)
	put(t, e, document(1, "cat"))
	same, err := e.ID(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, same)
	require.NoError(t, e.Clear(t.Context()))
	after, err := e.ID(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	requireFound(t, e, search.Query{}, nil)
	put(t, e, document(1, "cat"))
	requireFound(t, e, search.Query{}, []int{1})
}

func testBadRequests(t *testing.T, e search.Engine) {
	_, err := e.Search(t.Context(), search.Query{Limit: 1})
	require.Error(t, err, "a search without an owner")
	_, err = e.Search(t.Context(), search.Query{Account: owner})
	require.Error(t, err, "a search without a limit")
	for _, after := range []string{"x", "[]", `["1"]`, "{", `["a","b","c","d"]`} {
		_, err = e.Search(t.Context(), search.Query{Account: owner, Limit: 1, After: after})
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%s", after)
	}
}
