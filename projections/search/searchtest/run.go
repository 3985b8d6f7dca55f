package searchtest

import (
	"fmt"
	"slices"
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

// Promise is what an engine promises beyond what all of them do.
type Promise struct {
	// Morphemes says that Korean is found by its morphemes too: verbs in any form, and parts of compounds as words of
	// their own, so a question may find more.
	Morphemes bool
}

// Run checks what every engine must do. Open returns an engine that the test may change.
func Run(t *testing.T, open func(t *testing.T) search.Engine, promise Promise) {
	t.Helper()
	laws := map[string]func(*testing.T, search.Engine){
		"words":             func(t *testing.T, e search.Engine) { testWords(t, e, promise) },
		"negative":          testNegative,
		"owners":            testOwners,
		"owners alone":      testOwnersAlone,
		"hostile":           testHostile,
		"any question":      testAnyQuestion,
		"filters":           testFilters,
		"facets":            testFacets,
		"order":             testOrder,
		"brevity":           testBrevity,
		"paging":            testPaging,
		"paging and writes": testPagingUnderWrites,
		"versions":          testVersions,
		"deletion":          testDeletion,
		"writers":           testWriters,
		"builds":            testBuilds,
		"swaps":             testSwaps,
		"beside":            testBeside,
		"bad requests":      testBadRequests,
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t)
			require.NoError(t, e.Clear(t.Context()))
			swap(t, e)
			law(t, e)
		})
	}
}

func id(t *testing.T, e search.Engine) string {
	t.Helper()
	id, err := e.ID(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, id)
	return id
}

// swap lets what was written answer.
func swap(t *testing.T, e search.Engine) {
	t.Helper()
	require.NoError(t, e.Swap(t.Context(), id(t, e)))
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

func remove(t *testing.T, e search.Engine, d search.Document, version int64) {
	t.Helper()
	removal := search.Removal{Image: d.Image, Account: d.Account, Version: version}
	require.NoError(t, e.Delete(t.Context(), []search.Removal{removal}))
}

// find returns the images in the order of the answer, which must be complete.
func find(t require.TestingT, e search.Engine, q search.Query) []domain.ImageID {
	if q.Account == "" {
		q.Account = owner
	}
	q.Limit = pageAll
	result, err := e.Search(background, q)
	require.NoError(t, err, "%+v", q)
	require.Empty(t, result.Next)
	require.EqualValues(t, len(result.Images), result.Total)
	return result.Images
}

// requireFound compares without regard to order.
func requireFound(t require.TestingT, e search.Engine, q search.Query, want []int) {
	got := find(t, e, q)
	slices.Sort(got)
	images := make([]domain.ImageID, 0, len(want))
	for _, n := range want {
		images = append(images, document(n, "").Image)
	}
	require.ElementsMatch(t, images, got, "%+v", q)
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

// testOwnersAlone asks everything that the port can ask, in all combinations, of two owners with the same images, and
// of nobody. The owner is not one of the filters: there is no question without one.
func testOwnersAlone(t *testing.T, e search.Engine) {
	var theirs []domain.ImageID
	for n := range 6 {
		mine := document(n, "cat", "pet")
		mine.Favourite = n%2 == 0
		other := mine
		other.Account, other.Image = stranger, document(100+n, "").Image
		theirs = append(theirs, other.Image)
		put(t, e, mine, other)
	}
	yes := true
	for set := range 1 << 6 {
		q := search.Query{Account: owner, Limit: 3, Facets: true}
		for bit, add := range []func(){
			func() { q.Words = "cat" }, func() { q.Tags = []string{"pet"} }, func() { q.Model = "sdxl-1.0" },
			func() { q.Favourite = &yes }, func() { q.Sort = search.SortOldest }, func() { q.To = time.Now() },
		} {
			if set>>bit&1 == 1 {
				add()
			}
		}
		var seen []domain.ImageID
		for page := 0; page == 0 || q.After != ""; page++ {
			result, err := e.Search(t.Context(), q)
			require.NoError(t, err)
			seen, q.After = append(seen, result.Images...), result.Next
			require.EqualValues(t, []search.Count{{Value: "pet", Images: result.Total}}, result.Facets.Tags)
			require.LessOrEqual(t, result.Total, int64(6))
		}
		require.Subset(t, []int{3, 6}, []int{len(seen)})
		for _, image := range seen {
			require.NotContains(t, theirs, image)
		}
		q.Account, q.After = "", ""
		_, err := e.Search(t.Context(), q)
		require.Error(t, err, "nobody's images")
	}
}

func testBadRequests(t *testing.T, e search.Engine) {
	_, err := e.Search(t.Context(), search.Query{Limit: 1})
	require.Error(t, err, "a search without an owner")
	_, err = e.Search(t.Context(), search.Query{Account: owner})
	require.Error(t, err, "a search without a limit")
	_, err = e.Search(t.Context(), search.Query{Account: owner, Limit: 1, Sort: "rank; DROP"})
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	for _, after := range []string{
		"x", "[]", `["1"]`, "{", `["a","b","c","d"]`, "null", `[0,0,""]`, `[0,0,"img_x"]`, `[99,0,"img_0_0"]`,
		`[0, 0,"img_00000000000000000000000001_0"]`, `[0,0,"img_00000000000000000000000001_0",1]`,
	} {
		_, err = e.Search(t.Context(), search.Query{Account: owner, Limit: 1, After: after})
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), "%s", after)
	}
}
