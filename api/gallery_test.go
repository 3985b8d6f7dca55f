package api_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
)

// board makes a board and returns its id.
func (c customer) board(name string) string {
	c.f.t.Helper()
	r := c.call("POST", "/v1/boards", map[string]any{"name": name})
	require.Equal(c.f.t, http.StatusCreated, r.status, r.body)
	var made gen.NamedBoard
	r.decode(c.f.t, &made)
	return made.ID
}

// search saves a search for words and returns its id.
func (c customer) search(words string) string {
	c.f.t.Helper()
	r := c.call("POST", "/v1/saved-searches", map[string]any{"name": words, "query": map[string]any{"q": words}})
	require.Equal(c.f.t, http.StatusCreated, r.status, r.body)
	var saved gen.SavedSearch
	r.decode(c.f.t, &saved)
	return saved.ID
}

func (c customer) bulk(key string, body any) gen.BulkResult {
	c.f.t.Helper()
	r := c.call("POST", "/v1/images:bulk", body, headerOf("Idempotency-Key", key))
	require.Equal(c.f.t, http.StatusOK, r.status, r.body)
	var out gen.BulkResult
	r.decode(c.f.t, &out)
	return out
}

func TestBulkGoesOnByCursorAndRepeats(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	for _, key := range []string{"first-generation", "second-generation"} {
		c.finish(c.request(key).ID)
	}
	mark := map[string]any{"filter": map[string]any{}, "action": map[string]any{"favourite": true}, "limit": 1}
	first := c.bulk("a", mark)
	require.EqualValues(t, 1, first.Changed)
	require.True(t, first.HasMore)
	require.Equal(t, "next", *first.NextCursor)
	before := f.heads()
	require.Equal(t, first, c.bulk("a", mark), "the same key, the same answer")
	require.Equal(t, before, f.heads())
	rest := map[string]any{"filter": map[string]any{"favourite": false}, "action": map[string]any{"favourite": true}}
	done := c.bulk("b", rest)
	require.EqualValues(t, 1, done.Changed+done.Unchanged)

	only := map[string]any{"filter": map[string]any{"favourite": true}}
	var count gen.ImageCount
	c.call("POST", "/v1/images:count", only).decode(t, &count)
	require.EqualValues(t, 2, count.Images)
	only["action"] = map[string]any{"delete": true}
	require.EqualValues(t, 2, c.bulk("c", only).Changed)
	c.call("POST", "/v1/images:count", map[string]any{"filter": map[string]any{}}).decode(t, &count)
	require.Zero(t, count.Images)
}

func TestBulkAsksForOneThing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	image := string(c.finish(c.request("one-generation").ID))
	images, all, tag := []string{image}, map[string]any{}, map[string]any{"add_tags": []string{"x"}}
	for pointer, body := range map[string]map[string]any{
		"/filter":        {"action": tag},
		"/action/delete": {"filter": all, "action": map[string]any{"delete": true, "rating": 1}},
		"/cursor":        {"images": images, "action": tag, "cursor": "next"},
		"/action":        {"filter": all, "action": map[string]any{}},
		"/action/rating": {"filter": all, "action": map[string]any{"rating": 6}},
	} {
		r := c.call("POST", "/v1/images:bulk", body, headerOf("Idempotency-Key", "k "+pointer)).problem(t)
		require.Equal(t, "invalid-request", r.Code)
		require.Equal(t, pointer, (*r.Errors)[0].Pointer)
	}
	both := map[string]any{"filter": all, "images": images, "action": tag}
	refused := c.call("POST", "/v1/images:bulk", both, headerOf("Idempotency-Key", "both"))
	require.Equal(t, "invalid-request", refused.code(t))
	require.EqualValues(t, 1, c.bulk("named", map[string]any{"images": images, "action": tag}).Changed)
}

func TestImagesSayTheirBoardsAndStars(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	image := string(c.finish(c.request("one-generation").ID))
	winter, snow := c.board("Winter"), c.board("Snow")
	r := c.call("PATCH", "/v1/images/"+image, map[string]any{"rating": 4, "boards": []string{winter, snow}})
	var marks gen.ImageMarks
	r.decode(t, &marks)
	require.EqualValues(t, 4, marks.Rating)
	require.Len(t, marks.Boards, 2)
	require.Equal(t, http.StatusNoContent, c.call("DELETE", "/v1/boards/"+winter, nil).status)
	var shown gen.Image
	c.call("GET", "/v1/images/"+image, nil).decode(t, &shown)
	require.Equal(t, []string{snow}, shown.Boards)
	require.EqualValues(t, 4, shown.Rating)
	var boards gen.BoardList
	c.call("GET", "/v1/boards", nil).decode(t, &boards)
	require.Len(t, boards.Data, 1)
	require.EqualValues(t, 1, boards.Data[0].Images)
	require.Equal(t, image, boards.Data[0].Cover.Image)
	require.Equal(t, "conflict", c.call("POST", "/v1/boards", map[string]any{"name": "SNOW"}).code(t))
	require.Equal(t, "not-found", c.call("GET", "/v1/images?board="+winter, nil).code(t))
}

func TestSavedSearchesAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	c.finish(c.request("one-generation").ID)
	search := c.search("fox")
	change := map[string]any{"query": map[string]any{"favourite": false, "sort": "rating", "rating_max": 3}}
	require.Equal(t, http.StatusOK, c.call("PATCH", "/v1/saved-searches/"+search, change).status)
	var saved gen.SavedSearch
	c.call("GET", "/v1/saved-searches/"+search, nil).decode(t, &saved)
	require.Equal(t, "fox", saved.Name)
	require.False(t, *saved.Query.Favourite)
	require.Nil(t, saved.Query.Q)
	var page gen.ImagePage
	c.call("GET", "/v1/saved-searches/"+search+"/images", nil).decode(t, &page)
	require.Len(t, page.Data, 1)
	mixed := map[string]any{"name": "mixed", "query": map[string]any{"q": "fox", "rating_min": 1}}
	p := c.call("POST", "/v1/saved-searches", mixed).problem(t)
	require.Equal(t, "/query", (*p.Errors)[0].Pointer)
}

func TestMonthAsCSV(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	c.request("one-generation")
	r := c.call("GET", "/v1/statements/2026-11/csv", nil)
	require.Equal(t, "text/csv", r.header.Get("Content-Type"))
	rows, err := csv.NewReader(strings.NewReader(r.body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 2+2+1, "a header, two balances, a grant and a reservation on two pages")
	require.Equal(t, "opening_balance", rows[1][1])
	require.Equal(t, "closing_balance", rows[4][1])
	require.Equal(t, "invalid-request", c.call("GET", "/v1/statements/2026-13", nil).code(t))
	require.Equal(t, "invalid-request", c.call("GET", "/v1/statements/2026-11-01", nil).code(t))
}
