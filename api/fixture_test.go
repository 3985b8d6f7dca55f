package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
)

const (
	workerToken = "worker-token-worker-token-worker"
	adminToken  = "admin-token-admin-token-admin-to"
	shards      = 4
)

// fixture is a server on a ledger in memory, with fakes behind the other ports.
type fixture struct {
	t        testing.TB
	server   *api.Server
	http     *httptest.Server
	store    *memory.Store
	ledger   *commands.Ledger
	codec    *eventstore.Codec
	keys     *fakeKeys
	queries  *fakeQueries
	hub      *api.Hub
	pictures *fakePictures
	log      *syncBuffer
	metrics  *prometheus.Registry
	clock    *clock
}

// clock is a clock that tests can move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type fakeRing struct{}

func (fakeRing) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

func newFixture(t testing.TB) *fixture { return newFixtureWith(t, func(*api.Config) {}) }

func newFixtureWith(t testing.TB, change func(*api.Config)) *fixture {
	t.Helper()
	f := &fixture{
		t: t, keys: newFakeKeys(), hub: api.NewHub(), log: &syncBuffer{}, metrics: prometheus.NewRegistry(),
		pictures: &fakePictures{uploads: map[string]api.Inspected{}},
		clock:    &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)},
	}
	var err error
	f.store, err = memory.New(memory.Config{Shards: shards, Now: f.clock.now})
	require.NoError(t, err)
	f.codec, err = eventstore.NewCodec(catalog.Events(), fakeRing{})
	require.NoError(t, err)
	f.ledger, err = commands.New(commands.Config{Store: f.store, Codec: f.codec})
	require.NoError(t, err)
	quotes, err := commands.NewQuotes(bytes.Repeat([]byte{7}, commands.QuoteKeyBytesMin))
	require.NoError(t, err)
	f.queries = &fakeQueries{store: f.store, codec: f.codec, now: f.clock.now}
	config := api.Config{
		Ledger: f.ledger, Quotes: quotes, Queries: f.queries, Keys: f.keys, Pictures: f.pictures, Store: f.store,
		Codec: f.codec, Hub: f.hub, WorkerTokens: []string{workerToken}, AdminTokens: []string{adminToken},
		Now: f.clock.now, NewID: api.NewIDs(f.clock.now).New, Log: slog.New(slog.NewJSONHandler(f.log, nil)),
		Metrics: f.metrics, Poll: time.Hour,
	}
	change(&config)
	f.server, err = api.New(config)
	require.NoError(t, err)
	f.http = httptest.NewServer(f.server.Handler())
	t.Cleanup(func() {
		f.server.Stop()
		f.http.Close()
	})
	return f
}

// customer is an account with its key.
type customer struct {
	f      *fixture
	id     domain.AccountID
	secret string
}

func (f *fixture) open(name string) customer {
	f.t.Helper()
	r := f.call(http.MethodPost, "/v1/accounts", map[string]any{"name": name},
		headerOf("Idempotency-Key", "open-the-account-of-"+name))
	require.Equal(f.t, http.StatusCreated, r.status, r.body)
	var out gen.OpenedAccount
	r.decode(f.t, &out)
	return customer{f: f, id: domain.AccountID(out.Account.ID), secret: *out.APIKey.Secret}
}

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
	sent   *http.Request
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), into), a.body)
}

func (a answer) problem(t *testing.T) gen.Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), a.body)
	var p gen.Problem
	a.decode(t, &p)
	require.EqualValues(t, a.status, p.Status)
	require.Equal(t, a.header.Get("X-Request-Id"), p.RequestID)
	return p
}

func headerOf(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// call sends a request whose body is JSON, raw bytes or nothing.
func (f *fixture) call(method, path string, body any, headers ...http.Header) answer {
	f.t.Helper()
	reader, isJSON := bodyOf(f.t, body)
	r := httptest.NewRequest(method, path, reader)
	if isJSON {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	return f.send(r)
}

func bodyOf(t testing.TB, body any) (io.Reader, bool) {
	t.Helper()
	switch body := body.(type) {
	case nil:
		return nil, false
	case []byte:
		return bytes.NewReader(body), true
	case string:
		return strings.NewReader(body), true
	}
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	return bytes.NewReader(encoded), true
}

func (f *fixture) send(r *http.Request) answer {
	f.t.Helper()
	recorder := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(recorder, r)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String(), r}
}

func (c customer) call(method, path string, body any, headers ...http.Header) answer {
	c.f.t.Helper()
	return c.f.call(method, path, body, append(headers, headerOf("Authorization", "Bearer "+c.secret))...)
}

// request asks for images and returns the generation.
func (c customer) request(key string) gen.Generation {
	c.f.t.Helper()
	r := c.call(http.MethodPost, "/v1/generations",
		map[string]any{"model": "flux-schnell", "prompt": "a lighthouse at dawn", "tags": []string{"sea"}, "seed": 7},
		headerOf("Idempotency-Key", key))
	require.Equal(c.f.t, http.StatusCreated, r.status, r.body)
	var out gen.Generation
	r.decode(c.f.t, &out)
	return out
}

// finish has a worker claim and complete the generation with one picture.
func (c customer) finish(id string) domain.ImageID {
	c.f.t.Helper()
	c.claim(id)
	image := domain.NewImageID(domain.GenerationID(id), 0)
	_, err := c.f.ledger.CompleteGeneration(c.f.t.Context(), commands.Caller{Account: c.id, Actor: "settle"},
		domain.GenerationID(id), generation.Complete{
			Attempt: 1, Engine: "sketch", EngineVersion: "1", GPUMillis: 900, At: c.f.clock.now(),
			Images: []generation.Image{{
				Image: image, Key: "pictures/a/0.png", ThumbnailKey: "pictures/a/0.thumb.jpg",
				ContentType: "image/png", Bytes: 10, SHA256: strings.Repeat("a", 64), Width: 1024, Height: 1024, Seed: 7,
			}},
		})
	require.NoError(c.f.t, err)
	return image
}

func (c customer) claim(id string) {
	c.f.t.Helper()
	r := c.f.internal(http.MethodPost, "/internal/claims", workerToken, map[string]any{
		"worker": "w1", "pool": "gpu",
		"candidates": []any{map[string]any{"generation": id, "account_hash": eventstore.HashAccount(c.id).String()}},
	})
	require.Equal(c.f.t, http.StatusOK, r.status, r.body)
	require.NotContains(c.f.t, r.body, `"job":null`)
}

func (f *fixture) internal(method, path, token string, body any, headers ...http.Header) answer {
	f.t.Helper()
	return f.call(method, path, body, append(headers, headerOf("Authorization", "Bearer "+token))...)
}

// heads returns the ends of all shards as text: equal texts mean that nothing was appended.
func (f *fixture) heads() string {
	f.t.Helper()
	heads, err := f.store.Heads(f.t.Context())
	require.NoError(f.t, err)
	return fmt.Sprint(heads)
}
