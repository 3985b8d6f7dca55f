package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

type job struct {
	Generation  string `json:"generation"`
	AccountHash string `json:"account_hash"`
	Attempt     int    `json:"attempt"`
	Spec        struct {
		Operation, Model, Prompt, Scheduler string
		Width, Height, Steps, Count         int
		Seed                                uint32
		Tags                                []string
	} `json:"spec"`
	EstimateMS  int64  `json:"estimate_ms"`
	LeaseUntil  string `json:"lease_until"`
	RequestedAt string `json:"requested_at"`
	Uploads     []struct {
		Key, URL         string
		Headers          map[string]string
		ThumbnailKey     string            `json:"thumbnail_key"`
		ThumbnailURL     string            `json:"thumbnail_url"`
		ThumbnailHeaders map[string]string `json:"thumbnail_headers"`
	} `json:"uploads"`
}

func (c customer) candidate(id string) map[string]any {
	return map[string]any{"generation": id, "account_hash": eventstore.HashAccount(c.id).String()}
}

func TestClaimCarriesTheWholeJobAndIsWonOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	claim := map[string]any{
		"worker": "w1", "pool": "gpu",
		"candidates": []any{c.candidate("gen_01k00000000000000000000000"), c.candidate(id)},
	}
	var out struct{ Job *job }
	f.internal("POST", "/internal/claims", workerToken, claim).decode(t, &out)
	require.NotNil(t, out.Job)
	require.Equal(t, id, out.Job.Generation)
	require.Equal(t, 1, out.Job.Attempt)
	require.Equal(t, "a lighthouse at dawn", out.Job.Spec.Prompt)
	require.Equal(t, "flux-schnell", out.Job.Spec.Model)
	require.EqualValues(t, 7, out.Job.Spec.Seed)
	require.Equal(t, []string{"sea"}, out.Job.Spec.Tags)
	require.Positive(t, out.Job.EstimateMS)
	require.Len(t, out.Job.Uploads, 1)
	require.Equal(t, "pictures/"+string(c.id)+"/"+id+"/1/0.png", out.Job.Uploads[0].Key)
	require.Equal(t, "pictures/"+string(c.id)+"/"+id+"/1/0.thumb.jpg", out.Job.Uploads[0].ThumbnailKey)
	require.Equal(t, map[string]string{"Content-Type": "image/png"}, out.Job.Uploads[0].Headers)
	require.Equal(t, map[string]string{"Content-Type": "image/jpeg"}, out.Job.Uploads[0].ThumbnailHeaders)
	second := f.internal("POST", "/internal/claims", workerToken, claim)
	require.Equal(t, http.StatusOK, second.status)
	require.JSONEq(t, `{"job":null}`, second.body)
}

func TestLeaseIsExtendedAndHandedBackByItsHolderOnly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	c.claim(id)
	hash := eventstore.HashAccount(c.id).String()
	held := map[string]any{"account_hash": hash, "attempt": 1}
	stale := map[string]any{"account_hash": hash, "attempt": 2}
	path := "/internal/generations/" + id
	r := f.internal("POST", path+"/lease", workerToken, held)
	require.Equal(t, http.StatusOK, r.status, r.body)
	require.Contains(t, r.body, `"lease_until":"2026-11-22T12:`)
	require.Equal(t, "stale-attempt", f.internal("POST", path+"/lease", workerToken, stale).problem(t).Code)
	require.Equal(t, "stale-attempt", f.internal("POST", path+"/hand-back", workerToken, stale).problem(t).Code)
	held["cause"] = "spot_interruption"
	require.Equal(t, http.StatusNoContent, f.internal("POST", path+"/hand-back", workerToken, held).status)
	var read gen.Generation
	c.call("GET", "/v1/generations/"+id, nil).decode(t, &read)
	require.Equal(t, gen.StatusQueued, read.Status)
	require.EqualValues(t, 2, read.Attempt)
	require.Equal(t, "spot_interruption", *read.Cause)
}

func TestGrantsAndPlansAreMadeOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	path := "/internal/accounts/" + string(c.id)
	grant := map[string]any{"source": "top_up", "amount": 500, "reason": "invoice 7", "expires_at": "2027-01-01T00:00:00Z"}
	key := headerOf("Idempotency-Key", "invoice-7")
	first := f.internal("POST", path+"/grants", adminToken, grant, key)
	require.Equal(t, http.StatusCreated, first.status, first.body)
	require.NotEmpty(t, first.header.Get("Pingvas-Position"))
	again := f.internal("POST", path+"/grants", adminToken, grant, key)
	require.Equal(t, first.body, again.body)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	r := f.internal("POST", path+"/plan", adminToken, map[string]any{"plan": "pro"}, headerOf("Idempotency-Key", "p"))
	require.Equal(t, http.StatusOK, r.status, r.body)
	var balance gen.Balance
	c.call("GET", "/v1/balance", nil).decode(t, &balance)
	require.EqualValues(t, 600, balance.Available)
	var owner gen.Account
	c.call("GET", "/v1/account", nil).decode(t, &owner)
	require.Equal(t, gen.TierPro, owner.Tier)
}

func TestBacklogIsInSeconds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.internal("GET", "/internal/backlog", workerToken, nil)
	require.JSONEq(t, `{"gpu_seconds":3.5,"data":[{"pool":"gpu","tier":"free","queued":2,"running":0,
		"queued_gpu_seconds":3,"running_gpu_seconds":0.5}]}`, r.body)
}

type internalRoute struct{ method, path, token string }

func internalRoutes(account domain.AccountID) []internalRoute {
	generation := "/internal/generations/gen_01k00000000000000000000000"
	return []internalRoute{
		{"POST", "/internal/claims", workerToken},
		{"POST", generation + "/lease", workerToken},
		{"POST", generation + "/hand-back", workerToken},
		{"GET", "/internal/backlog", workerToken},
		{"POST", "/internal/accounts/" + string(account) + "/grants", adminToken},
		{"POST", "/internal/accounts/" + string(account) + "/plan", adminToken},
	}
}

func TestInternalRoutesNeedTheirOwnToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	for _, route := range internalRoutes(c.id) {
		wrong := map[string]string{workerToken: adminToken, adminToken: workerToken}[route.token]
		for _, token := range []string{"", "x", wrong, c.secret, route.token + "x", route.token[1:]} {
			r := f.internal(route.method, route.path, token, map[string]any{})
			require.Equal(t, "unauthenticated", r.problem(t).Code, "%s %s", route.path, token)
		}
		require.Equal(t, "method-not-allowed", f.internal("PUT", route.path, route.token, nil).problem(t).Code)
	}
}

func TestBadInternalInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	c.request("purchase")
	fields := []string{
		"worker", "pool", "candidates", "account_hash", "attempt", "cause", "source", "amount", "priority",
		"effective_at", "expires_at", "models", "operations", "reason", "plan",
	}
	for _, route := range internalRoutes(c.id) {
		if route.method == "GET" {
			continue
		}
		bodies := badBodies()
		for _, field := range fields {
			for _, value := range badValues {
				name, err := json.Marshal(field)
				require.NoError(t, err)
				bodies = append(bodies, []byte("{"+string(name)+":"+value+"}"))
			}
		}
		for _, body := range bodies {
			before := f.heads()
			r := f.internal(route.method, route.path, route.token, body, headerOf("Idempotency-Key", "k"))
			require.Less(t, r.status, 500, "%s %.200s: %s", route.path, body, r.body)
			if r.status >= 400 {
				require.NotEmpty(t, r.problem(t).Code)
				require.Equal(t, before, f.heads(), "%s %.200s", route.path, body)
			}
		}
	}
	for _, body := range []string{
		`{"worker":"w","pool":"gpu","candidates":[{"generation":"x","account_hash":"0000000000000000"}]}`,
		`{"worker":"w","pool":"gpu","candidates":[` + strings.Repeat(`{"generation":"gen_01k00000000000000000000000",`+
			`"account_hash":"0000000000000000"},`, 40) + `{}]}`,
	} {
		require.Equal(t, "invalid-request", f.internal("POST", "/internal/claims", workerToken, body).problem(t).Code)
	}
	foreign := internalRoutes("acc_01k00000000000000000000000")
	grant := map[string]any{"source": "top_up", "amount": 1}
	r := f.internal("POST", foreign[4].path, adminToken, grant, headerOf("Idempotency-Key", "k2"))
	require.Equal(t, "not-found", r.problem(t).Code)
	keyless := f.internal("POST", internalRoutes(c.id)[4].path, adminToken, grant)
	require.Equal(t, "invalid-request", keyless.problem(t).Code)
}
