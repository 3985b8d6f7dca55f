package searchtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

func testFilters(t *testing.T, e search.Engine) {
	docs := []search.Document{
		document(0, "a cat", "Winter", "고양이"), document(1, "a cat", "winter night"), document(2, "a cat"),
		document(3, "a dog"),
	}
	docs[1].Model, docs[2].Width, docs[3].Height, docs[3].Favourite = "flux-dev", 512, 512, true
	docs[2].Seed = 4294967295
	put(t, e, docs...)
	yes, no, seed, small := true, false, uint32(4294967295), uint32(0)
	early, late := time.Date(1, 1, 1, 1, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, queries := range map[string][]search.Query{
		"0":    {{Tags: []string{"winter"}}, {Tags: []string{"WINTER", "고양이"}}, {Seed: &small}},
		"1":    {{Model: "flux-dev"}, {Tags: []string{"Winter Night"}}},
		"2":    {{Width: 512}, {Seed: &seed}, {From: docs[2].CreatedAt, To: docs[3].CreatedAt}},
		"3":    {{Height: 512}, {Favourite: &yes}, {From: docs[3].CreatedAt}, {From: docs[2].CreatedAt.Add(1)}},
		"0 1":  {{To: docs[2].CreatedAt}},
		"012":  {{Favourite: &no}, {Words: "cat"}, {Words: "cat", Favourite: &no}, {To: docs[2].CreatedAt.Add(1)}},
		"":     {{Words: "cat", Favourite: &yes}, {Width: 1024, Height: 1024}, {Tags: []string{"win"}}, {Model: "flux"}},
		"0123": {{From: early, To: late}, {From: docs[0].CreatedAt}},
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

// facets returns those of all that match, whatever the page is.
func facets(t *testing.T, e search.Engine, q search.Query) search.Facets {
	t.Helper()
	q.Account, q.Facets = owner, true
	var first search.Facets
	for q.Limit = 1; q.Limit < 3; q.Limit++ {
		result, err := e.Search(t.Context(), q)
		require.NoError(t, err)
		if q.Limit > 1 {
			require.Equal(t, first, result.Facets)
		}
		first = result.Facets
	}
	return first
}

func testFacets(t *testing.T, e search.Engine) {
	require.Zero(t, facets(t, e, search.Query{}))
	for n := range 30 {
		d := document(n, "cat", "All", fmt.Sprintf("tag-%02d", n%25))
		d.Model, d.Favourite = []string{"sdxl-1.0", "flux-dev"}[n%25%3/2], n%10 == 0
		put(t, e, d)
	}
	theirs := document(50, "cat", "all", "secret")
	theirs.Account, theirs.Model = stranger, "secret-model"
	put(t, e, theirs)
	all := facets(t, e, search.Query{})
	require.Equal(t, []search.Count{{Value: "sdxl-1.0", Images: 21}, {Value: "flux-dev", Images: 9}}, all.Models)
	require.EqualValues(t, 3, all.Favourites)
	want := []search.Count{{Value: "all", Images: 30}}
	for n := range search.FacetMax - 1 { // five of them are twice there, and then the first in the order of values
		want = append(want, search.Count{Value: fmt.Sprintf("tag-%02d", n), Images: map[bool]int64{true: 2, false: 1}[n < 5]})
	}
	require.Equal(t, want, all.Tags)
	some := facets(t, e, search.Query{Model: "flux-dev", Tags: []string{"tag-02"}, Words: "cats"})
	require.Equal(t, []search.Count{{Value: "flux-dev", Images: 2}}, some.Models)
	require.Equal(t, []search.Count{{Value: "all", Images: 2}, {Value: "tag-02", Images: 2}}, some.Tags)
	remove(t, e, document(2, ""), 2)
	some = facets(t, e, search.Query{Tags: []string{"tag-02"}})
	require.Equal(t, []search.Count{{Value: "all", Images: 1}, {Value: "tag-02", Images: 1}}, some.Tags)
	result, err := e.Search(t.Context(), search.Query{Account: owner, Limit: 1})
	require.NoError(t, err)
	require.Zero(t, result.Facets, "nobody asked for them")
}

func testOrder(t *testing.T, e search.Engine) {
	var oldest []domain.ImageID
	for n := range 5 {
		put(t, e, document(n, "a lighthouse in the fog, with many other words around it"))
		oldest = append(oldest, document(n, "").Image)
	}
	newest := images(4, 3, 2, 1, 0)
	require.Equal(t, newest, find(t, e, search.Query{}))
	require.Equal(t, newest, find(t, e, search.Query{Sort: search.SortNewest}))
	require.Equal(t, oldest, find(t, e, search.Query{Sort: search.SortOldest}))
	put(t, e, document(9, "nothing of the kind"))
	best := document(7, "lighthouse")
	best.CreatedAt = best.CreatedAt.AddDate(-60, 0, 0) // before 1970
	put(t, e, best)
	ask := search.Query{Words: "lighthouse"}
	require.Equal(t, append(images(7), newest...), find(t, e, ask), "the best match comes first")
	ask.Sort = search.SortNewest
	require.Equal(t, append(newest, best.Image), find(t, e, ask))
	ask.Sort = search.SortOldest
	require.Equal(t, append(images(7), oldest...), find(t, e, ask))
	require.Equal(t, best.Image, find(t, e, search.Query{Sort: search.SortOldest})[0])
}

// testBrevity checks the classes of length, within which the newest come first.
func testBrevity(t *testing.T, e search.Engine) {
	for n, length := range []int{1, 2, 3, 4, 7, 8, 500, 40_000} {
		put(t, e, document(n, strings.Repeat("cat ", length)))
	}
	require.Equal(t, images(0, 2, 1, 4, 3, 5, 6, 7), find(t, e, search.Query{Words: "cat"}))
	put(t, e, document(8, "cat", "many", "tags", "change", "nothing"))
	require.Equal(t, images(8, 0, 2), find(t, e, search.Query{Words: "cat"})[:3])
}
