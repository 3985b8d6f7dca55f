package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
)

func TestReplayOfAGenerationIsTheSameToTheByte(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	body := map[string]any{"model": "flux-schnell", "prompt": "x", "tags": []string{"b", "a", "b"}} // draws a seed
	first := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "purchase-1"))
	require.Equal(t, http.StatusCreated, first.status, first.body)
	require.Empty(t, first.header.Get("Idempotency-Replayed"))
	f.clock.move(1e12)
	before := f.heads()
	// Another order of fields, white space, and the quoted form of the key are the same request.
	spaced := `{ "tags" : ["b","a","b"], "prompt":"x", "model":"flux-schnell" }`
	again := c.call("POST", "/v1/generations", spaced, headerOf("Idempotency-Key", `"purchase-1"`))
	require.Equal(t, first.body, again.body)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, first.header.Get("Pingvas-Position"), again.header.Get("Pingvas-Position"))
	require.Equal(t, first.header.Get("Location"), again.header.Get("Location"))
	require.Equal(t, before, f.heads())
}

// What the answer says was moved is what the record says was moved.
func TestSettlementOfANewGenerationIsInTheRecord(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	made := c.request("purchase-1")
	var read gen.Generation
	c.call("GET", made.Links.Self, nil).decode(t, &read)
	require.Equal(t, read.Settlement.Postings, made.Settlement.Postings)
	require.Equal(t, read.Settlement.Quoted, made.Settlement.Quoted)
	require.Equal(t, read.Version, made.Version)
	require.Equal(t, read.Request, made.Request)
}

func TestReplayOfARefusalIsTheSameButForTheRequestID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	body := map[string]any{"model": "flux-dev", "prompt": "x", "count": 8, "width": 2048, "height": 2048}
	first := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "too-much"))
	require.Equal(t, http.StatusPaymentRequired, first.status, first.body)
	again := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "too-much"))
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Equal(t, withoutID(t, first), withoutID(t, again))
	p := again.problem(t)
	require.EqualValues(t, 320, *p.Required)
	require.EqualValues(t, 100, *p.Available)
	require.EqualValues(t, 0, *p.Reserved)
	require.Equal(t, strings.ReplaceAll(first.body, first.problem(t).RequestID, ""),
		strings.ReplaceAll(again.body, p.RequestID, ""))
}

func TestRefusalForOpenSlotsSaysHowMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	for i := range 4 {
		c.request(fmt.Sprintf("purchase-%d", i))
	}
	body := map[string]any{"model": "flux-schnell", "prompt": "x"}
	for range 2 {
		r := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "one-more"))
		p := r.problem(t)
		require.Equal(t, "concurrency-limit", p.Code)
		require.EqualValues(t, 4, *p.Open)
		require.EqualValues(t, 4, *p.Limit)
		require.Equal(t, "5", r.header.Get("Retry-After"))
	}
}

func TestKeyIsBoundToItsRequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	one, two := c.request("purchase-1").ID, c.request("purchase-2").ID
	key := headerOf("Idempotency-Key", "purchase-1")
	for path, body := range map[string]any{
		"/v1/generations":                    map[string]any{"model": "flux-dev", "prompt": "x"},
		"/v1/generations/" + two + "/cancel": nil,
	} {
		r := c.call("POST", path, body, key)
		require.Equal(t, http.StatusUnprocessableEntity, r.status, r.body)
		require.Equal(t, "idempotency-mismatch", r.problem(t).Code)
	}
	cancel := headerOf("Idempotency-Key", "cancel-1")
	first := c.call("POST", "/v1/generations/"+one+"/cancel", nil, cancel)
	require.Equal(t, http.StatusOK, first.status, first.body)
	require.Equal(t, first.body, c.call("POST", "/v1/generations/"+one+"/cancel", nil, cancel).body)
	other := f.open("bob")
	require.NotEmpty(t, other.request("purchase-1").ID, "keys of different accounts are different keys")
}

func TestParallelCallsWithOneKeyBuyOnce(t *testing.T) {
	t.Parallel()
	const callers = 64
	f := newFixture(t)
	c := f.open("alice")
	answers := make([]answer, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			answers[i] = c.call("POST", "/v1/generations", map[string]any{"model": "flux-dev", "prompt": "x"},
				headerOf("Idempotency-Key", "one-purchase"))
		})
	}
	all.Wait()
	bodies := map[string]bool{}
	for _, a := range answers {
		if a.status == http.StatusServiceUnavailable { // too many at once: it was not run, and says so
			require.Equal(t, "stale-version", a.problem(t).Code)
			continue
		}
		require.Equal(t, http.StatusCreated, a.status, a.body)
		bodies[a.body] = true
	}
	require.Len(t, bodies, 1)
	var balance gen.Balance
	c.call("GET", "/v1/balance", nil).decode(t, &balance)
	require.EqualValues(t, 90, balance.Available)
	require.EqualValues(t, 10, balance.Reserved)
}

func TestOpeningAnAccountAgainShowsNoSecret(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	key := headerOf("Idempotency-Key", "a-key-that-is-hard-to-guess")
	body := map[string]any{"name": "alice"}
	var first, again gen.OpenedAccount
	f.call("POST", "/v1/accounts", body, key).decode(t, &first)
	require.NotNil(t, first.APIKey.Secret)
	require.NoError(t, domain.AccountID(first.Account.ID).Check())
	r := f.call("POST", "/v1/accounts", body, key)
	r.decode(t, &again)
	require.Equal(t, "true", r.header.Get("Idempotency-Replayed"))
	require.Equal(t, first.Account, again.Account)
	require.Equal(t, first.APIKey.ID, again.APIKey.ID)
	require.Nil(t, again.APIKey.Secret)
	require.Equal(t, "idempotency-mismatch",
		f.call("POST", "/v1/accounts", map[string]any{"name": "mallory"}, key).problem(t).Code)
	guessable := f.call("POST", "/v1/accounts", body, headerOf("Idempotency-Key", "1"))
	require.Equal(t, "invalid-request", guessable.problem(t).Code)
}

// The server may stop between the account and its key: the retry then gets the key.
func TestAccountWithoutAKeyGetsOneAtTheRetry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	f.keys.forget(c.id)
	r := f.call("POST", "/v1/accounts", map[string]any{"name": "alice"},
		headerOf("Idempotency-Key", "open-the-account-of-alice"))
	var out gen.OpenedAccount
	r.decode(t, &out)
	require.Equal(t, "true", r.header.Get("Idempotency-Replayed"))
	require.NotNil(t, out.APIKey.Secret)
}

func (k *fakeKeys) forget(owner domain.AccountID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, owner)
}

func TestImageChangesOnlyAtTheVersionThatWasSeen(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	image := "/v1/images/" + string(c.finish(c.request("purchase").ID))
	tag := c.call("GET", image, nil).header.Get("ETag")
	require.Equal(t, `"0"`, tag)
	first := c.call("PATCH", image, map[string]any{"favourite": true}, headerOf("If-Match", tag))
	require.Equal(t, http.StatusOK, first.status, first.body)
	require.Equal(t, `"1"`, first.header.Get("ETag"))
	late := c.call("PATCH", image, map[string]any{"favourite": false}, headerOf("If-Match", tag))
	require.Equal(t, "precondition-failed", late.problem(t).Code)
	whatever := c.call("PATCH", image, map[string]any{"tags": []string{}}, headerOf("If-Match", "*"))
	require.Equal(t, http.StatusOK, whatever.status)
	for _, wrong := range []string{"1", `W/"1"`, `"1", "2"`, `"x"`, `"`} {
		r := c.call("PATCH", image, map[string]any{"favourite": false}, headerOf("If-Match", wrong))
		require.Equal(t, "invalid-request", r.problem(t).Code, wrong)
	}
}
