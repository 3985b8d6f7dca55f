package api_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
)

func contractOf(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := gen.GetSpec()
	require.NoError(t, err)
	doc.Servers = nil
	return doc
}

// checkAnswer fails unless the answer is what the contract promises.
func checkAnswer(t *testing.T, doc *openapi3.T, a answer) {
	t.Helper()
	router, err := gorillamux.NewRouter(doc)
	require.NoError(t, err)
	route, params, err := router.FindRoute(a.sent)
	require.NoError(t, err)
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: a.sent, PathParams: params, Route: route},
		Status:                 a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, MultiError: true,
			ExcludeResponseBody: a.header.Get("Content-Type") == "text/event-stream",
		},
	}), "%s %s: %s", a.sent.Method, a.sent.URL, a.body)
}

func TestContractIsValid(t *testing.T) {
	t.Parallel()
	doc := contractOf(t)
	require.True(t, doc.IsOpenAPI31OrLater())
	require.NoError(t, doc.Validate(t.Context()))
}

func TestGeneratedCodeIsOfThisContract(t *testing.T) {
	t.Parallel()
	source, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	require.NoError(t, err)
	want, err := source.MarshalJSON()
	require.NoError(t, err)
	embedded, err := gen.GetSpec()
	require.NoError(t, err)
	have, err := embedded.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(have), "generate it again with: go generate ./api/gen")
}

// Every operation is called once; what it answers must be what the contract says.
func TestEveryOperationAnswersByTheContract(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc := contractOf(t)
	c := f.open("alice")
	done := c.request("key-for-the-first-one")
	image := string(c.finish(done.ID))
	queued := c.request("key-for-the-second").ID
	first, second := c.reserve("hold-the-first", 3).ID, c.reserve("hold-the-second", 3).ID
	var made gen.NewKey
	c.call("POST", "/v1/api-keys", map[string]any{"name": "ci"}).decode(t, &made)
	board, search := c.board("Winter"), c.search("foxes")

	calls := []struct {
		operation, method, path string
		body                    any
		status                  int
	}{
		{"openAccount", "POST", "/v1/accounts", map[string]any{"name": "bob"}, 201},
		{"getAccount", "GET", "/v1/account", nil, 200},
		{"listKeys", "GET", "/v1/api-keys", nil, 200},
		{"createKey", "POST", "/v1/api-keys", map[string]any{}, 201},
		{"revokeKey", "DELETE", "/v1/api-keys/" + made.ID, nil, 204},
		{"listPlans", "GET", "/v1/plans", nil, 200},
		{"listModels", "GET", "/v1/models", nil, 200},
		{"getSettlementPolicy", "GET", "/v1/settlement-policy", nil, 200},
		{"createQuote", "POST", "/v1/quotes", map[string]any{"model": "sdxl-1.0", "count": 2}, 200},
		{"listGenerations", "GET", "/v1/generations?open=true&status=queued&limit=10", nil, 200},
		{"createGeneration", "POST", "/v1/generations",
			map[string]any{"model": "flux-dev", "prompt": "p", "seed": 4294967295}, 201},
		{"getGeneration", "GET", "/v1/generations/" + queued + "?min_position=1:1", nil, 200},
		{"cancelGeneration", "POST", "/v1/generations/" + queued + "/cancel", nil, 200},
		{"streamGeneration", "GET", "/v1/generations/" + done.ID + "/events", nil, 200},
		{"createReservation", "POST", "/v1/reservations",
			map[string]any{"amount": 2, "use": map[string]any{"model": "mine"}, "expires_in": 60}, 201},
		{"settleReservation", "POST", "/v1/reservations/" + first + "/settle", map[string]any{"amount": 1}, 200},
		{"releaseReservation", "POST", "/v1/reservations/" + second + "/release", nil, 200},
		{"runReservations", "POST", "/v1/reservations:batch", map[string]any{
			"commands": []map[string]any{{"reserve": map[string]any{"amount": 1}}, {"reserve": map[string]any{"amount": 101}}},
		}, 200},
		{"getBalance", "GET", "/v1/balance?at=2027-01-01T00:00:00Z", nil, 200},
		{"getStatement", "GET", "/v1/statement?generation=" + done.ID, nil, 200},
		{"getUsage", "GET", "/v1/usage?from=2026-11-01&to=2026-11-22&group_by=day&group_by=key&group_by=tier", nil, 200},
		{"listImages", "GET", "/v1/images?favourite=false&tag=sea&board=none&rating_min=1&sort=rating&" +
			"model=flux-schnell&generation=" + done.ID, nil, 200},
		{"getImage", "GET", "/v1/images/" + image, nil, 200},
		{"updateImage", "PATCH", "/v1/images/" + image,
			map[string]any{"tags": []string{"b", "a"}, "favourite": true, "rating": 0}, 200},
		{"downloadImage", "GET", "/v1/images/" + image + "/download?variant=thumbnail", nil, 302},
		{"searchImages", "GET",
			"/v1/search?q=lighthouse&tag=sea&tag=b&seed=7&width=1024&from=2026-01-01T00:00:00Z&sort=oldest&facets=true",
			nil, 200},
		{"createUpload", "POST", "/v1/uploads", map[string]any{"content_type": "image/webp", "bytes": 20 << 20}, 201},
		{"countImages", "POST", "/v1/images:count", map[string]any{"filter": map[string]any{"tags": []string{"b"}}}, 200},
		{"createBoard", "POST", "/v1/boards", map[string]any{"name": "Snow"}, 201},
		{"addToBoard", "PUT", "/v1/boards/" + board + "/images/" + image, nil, 204},
		{"listBoards", "GET", "/v1/boards", nil, 200},
		{"getBoard", "GET", "/v1/boards/" + board, nil, 200},
		{"renameBoard", "PATCH", "/v1/boards/" + board, map[string]any{"name": "winter"}, 200},
		{"bulkImages", "POST", "/v1/images:bulk", map[string]any{
			"filter": map[string]any{"board": board, "rating_max": 0},
			"action": map[string]any{"rating": 5, "add_tags": []string{"x"}},
		}, 200},
		{"removeFromBoard", "DELETE", "/v1/boards/" + board + "/images/" + image, nil, 204},
		{"deleteBoard", "DELETE", "/v1/boards/" + board, nil, 204},
		{"saveSearch", "POST", "/v1/saved-searches",
			map[string]any{"name": "a", "query": map[string]any{"sort": "rating"}}, 201},
		{"listSavedSearches", "GET", "/v1/saved-searches", nil, 200},
		{"getSavedSearch", "GET", "/v1/saved-searches/" + search, nil, 200},
		{"runSavedSearch", "GET", "/v1/saved-searches/" + search + "/images?limit=5", nil, 200},
		{"changeSavedSearch", "PATCH", "/v1/saved-searches/" + search, map[string]any{"name": "two foxes"}, 200},
		{"deleteSavedSearch", "DELETE", "/v1/saved-searches/" + search, nil, 204},
		{"listStatements", "GET", "/v1/statements", nil, 200},
		{"getMonth", "GET", "/v1/statements/2026-11?limit=5", nil, 200},
		{"getMonthCSV", "GET", "/v1/statements/2026-11/csv", nil, 200},
		{"deleteImage", "DELETE", "/v1/images/" + image, nil, 204},
	}
	var covered []string
	for _, call := range calls {
		r := c.call(call.method, call.path, call.body, headerOf("Idempotency-Key", "this-is-for-"+call.operation))
		require.Equal(t, call.status, r.status, "%s: %s", call.operation, r.body)
		checkAnswer(t, doc, r)
		covered = append(covered, call.operation)
	}
	var all []string
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			all = append(all, op.OperationID)
		}
	}
	require.ElementsMatch(t, all, covered)
}

// What is served and what is written down are the same.
func TestRoutesAreTheContract(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	doc := contractOf(t)
	for path, item := range doc.Paths.Map() {
		concrete := strings.NewReplacer("{key}", "x", "{generation}", "x", "{image}", "x", "{reservation}", "x",
			"{board}", "x", "{search}", "x", "{month}", "x").Replace(path)
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			r := f.call(method, concrete, nil)
			code := r.code(t)
			if item.GetOperation(method) != nil {
				require.NotContains(t, []string{"not-found", "method-not-allowed"}, code, "%s %s", method, path)
				continue
			}
			require.Equal(t, http.StatusMethodNotAllowed, r.status, "%s %s", method, path)
			for allowed := range item.Operations() {
				require.True(t, slices.Contains(r.header.Values("Allow"), allowed), "%s %s", method, path)
			}
		}
	}
	require.Equal(t, "not-found", f.call("GET", "/v1/nothing", nil).code(t))
	require.Equal(t, "not-found", f.call("POST", "/elsewhere", nil).code(t))
	require.Equal(t, "not-found", f.call("GET", "/v1//plans", nil).code(t))
}

// code returns the code of a problem, or "" if the answer is none.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if a.header.Get("Content-Type") != "application/problem+json" {
		return ""
	}
	return a.problem(t).Code
}
