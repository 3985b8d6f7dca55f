package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
)

// Every route that takes an id, with a thing of another account and with one that does not exist: both answers must be
// the same but for the request id, and neither may change anything.
func TestForeignIdsLookLikeNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	alice, mallory := f.open("alice"), f.open("mallory")
	generation := alice.request("key-of-alice").ID
	image := string(alice.finish(generation))
	var key gen.NewKey
	alice.call("POST", "/v1/api-keys", map[string]any{}).decode(t, &key)

	foreign := map[string]string{
		"{generation}": generation, "{image}": image, "{key}": key.ID,
		"{reservation}": alice.reserve("hold-of-alice", 1).ID, "{board}": alice.board("of alice"),
		"{search}": alice.search("of alice"),
	}
	absent := map[string]string{
		"{generation}": "gen_01k00000000000000000000000", "{image}": "img_01k00000000000000000000000_0",
		"{key}": "key_01k00000000000000000000000", "{reservation}": "res_01k00000000000000000000000",
		"{board}": "brd_01k00000000000000000000000", "{search}": "sch_01k00000000000000000000000",
	}
	routes := map[string]any{
		"GET /v1/images?generation={generation}": nil, "GET /v1/statement?generation={generation}": nil,
		"GET /v1/images?board={board}": nil, "POST /v1/images:count": map[string]any{
			"filter": map[string]any{"board": "{board}"},
		},
		"POST /v1/images:bulk": map[string]any{
			"filter": map[string]any{}, "action": map[string]any{"add_to_board": "{board}"},
		},
	}
	bodies := map[string]any{
		"updateImage": map[string]any{"favourite": true}, "settleReservation": map[string]any{"amount": 0},
		"renameBoard": map[string]any{"name": "mine"}, "changeSavedSearch": map[string]any{"name": "mine"},
	}
	for path, item := range contractOf(t).Paths.Map() {
		for method, op := range item.Operations() {
			if strings.Contains(path, "{") && !strings.Contains(path, "{month}") {
				routes[method+" "+path] = nil
				if op.RequestBody != nil {
					routes[method+" "+path] = bodies[op.OperationID]
				}
			}
		}
	}
	require.Len(t, routes, 24)
	for route := range maps.Keys(routes) {
		method, path, _ := strings.Cut(route, " ")
		before := f.heads()
		ask := func(what string, ids map[string]string) answer {
			key := headerOf("Idempotency-Key", what+" "+route)
			return mallory.call(method, fill(path, ids), fillBody(t, routes[route], ids), key)
		}
		theirs, nothing := ask("foreign", foreign), ask("absent", absent)
		require.Equal(t, http.StatusNotFound, theirs.status, "%s: %s", route, theirs.body)
		require.Equal(t, withoutID(t, nothing), withoutID(t, theirs), route)
		require.Equal(t, before, f.heads(), route)
	}
	require.Equal(t, http.StatusOK, alice.call("GET", "/v1/images/"+image, nil).status)
	require.Len(t, f.listed(alice), 2)
}

func fill(path string, ids map[string]string) string {
	for name, id := range ids {
		path = strings.ReplaceAll(path, name, id)
	}
	return path
}

// fillBody puts ids into a body.
func fillBody(t *testing.T, body any, ids map[string]string) any {
	t.Helper()
	if body == nil {
		return nil
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return json.RawMessage(fill(string(text), ids))
}

// withoutID is a problem as a text without what differs from call to call.
func withoutID(t *testing.T, a answer) gen.Problem {
	t.Helper()
	p := a.problem(t)
	p.RequestID = ""
	return p
}

func (f *fixture) listed(c customer) []gen.Key {
	f.t.Helper()
	var keys gen.KeyList
	c.call("GET", "/v1/api-keys", nil).decode(f.t, &keys)
	return keys.Data
}

// A quote is an id inside a body.
func TestForeignQuoteIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	alice, mallory := f.open("alice"), f.open("mallory")
	var quote gen.Quote
	alice.call("POST", "/v1/quotes", map[string]any{"model": "flux-dev"}).decode(t, &quote)
	r := mallory.call("POST", "/v1/generations",
		map[string]any{"model": "flux-dev", "prompt": "x", "quote": quote.Quote}, headerOf("Idempotency-Key", "k"))
	require.Equal(t, "quote-mismatch", r.problem(t).Code)
}

func TestCallsWithoutAValidKeyGetOneAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := f.listed(c)[0].ID
	require.Equal(t, http.StatusNoContent, c.call("DELETE", "/v1/api-keys/"+id, nil).status)
	var answers []gen.Problem
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Basic abc", "Bearer pv_", "Bearer pv_x_y", "Bearer " + c.secret, "bearer " + c.secret,
		"Bearer " + strings.Repeat("a", 10_000), "Bearer " + workerToken,
	} {
		r := f.call("GET", "/v1/balance", nil, headerOf("Authorization", authorization))
		require.Equal(t, http.StatusUnauthorized, r.status)
		require.Equal(t, `Bearer realm="pingvas"`, r.header.Get("WWW-Authenticate"))
		answers = append(answers, withoutID(t, r))
	}
	for _, a := range answers {
		require.Equal(t, answers[0], a)
	}
	for path, item := range contractOf(t).Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security == nil {
				require.Equal(t, http.StatusUnauthorized, f.call(method, path, nil).status, "%s %s", method, path)
			}
		}
	}
}
