package searchtest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// sorts are all orders.
var sorts = []search.Sort{search.SortBest, search.SortNewest, search.SortOldest}

// pages reads everything page by page and calls between after each.
func pages(t *testing.T, e search.Engine, q search.Query, between func()) []domain.ImageID {
	t.Helper()
	q.Account = owner
	var all []domain.ImageID
	for n := 0; n == 0 || q.After != ""; n++ {
		require.Less(t, n, pageAll)
		result, err := e.Search(t.Context(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(result.Images), q.Limit)
		all, q.After = append(all, result.Images...), result.Next
		between()
	}
	return all
}

func testPaging(t *testing.T, e search.Engine) {
	var docs []search.Document
	for n := range 23 {
		docs = append(docs, document(n, strings.Repeat("cat ", 1+n%4)+strings.Repeat("other words ", n%3)))
		docs[n].CreatedAt = docs[n/3*3].CreatedAt // some are made at the same time
	}
	put(t, e, docs...)
	for _, sort := range sorts {
		for _, words := range []string{"", "cat"} {
			for _, limit := range []int{1, 5, 22, 23, 24} {
				q := search.Query{Words: words, Sort: sort, Limit: limit}
				require.Equal(t, find(t, e, q), pages(t, e, q, func() {}))
			}
		}
	}
}

// testPagingUnderWrites reads page by page while images come, go and change. Whatever is there all the time is seen,
// and nothing is seen twice.
func testPagingUnderWrites(t *testing.T, e search.Engine) {
	const kept = 40
	random := rand.New(rand.NewPCG(1, 2))
	change := func(n int, version int64) search.Document {
		d := document(n, strings.Repeat("cat ", 1+n%9))
		d.CreatedAt = document(n%7, "").CreatedAt
		d.Version, d.Favourite, d.Tags = version, random.IntN(2) == 0, []string{strings.Repeat("cat ", random.IntN(9))}
		return d
	}
	version := int64(1)
	for n := range kept {
		put(t, e, change(n, version))
	}
	for _, sort := range sorts {
		seen := map[domain.ImageID]int{}
		all := pages(t, e, search.Query{Words: "cat", Sort: sort, Limit: 3}, func() {
			version++
			coming, going := kept+random.IntN(20), kept+random.IntN(20)
			put(t, e, change(random.IntN(kept), version), change(coming, version))
			version++
			remove(t, e, document(going, ""), version)
		})
		for _, image := range all {
			seen[image]++
			require.Equal(t, 1, seen[image], "%s in the order %q", image, sort)
		}
		for n := range kept {
			require.Contains(t, seen, document(n, "").Image, "in the order %q", sort)
		}
	}
}
