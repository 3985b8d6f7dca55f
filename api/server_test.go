package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
)

func TestConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := api.New(api.Config{
		WorkerTokens: []string{"short"}, PublicURL: "example.com", PictureOrigins: []string{"https://a.test/path"},
		Poll: -1,
	})
	for _, part := range []string{
		"ledger", "quotes", "queries", "keys", "pictures", "store", "codec", "clock", "ids", "log", "metrics",
		"worker token 1", "example.com", "https://a.test/path", "pace",
	} {
		require.ErrorContains(t, err, part)
	}
}

func TestPagesExplainTheAPI(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(c *api.Config) { c.PictureOrigins = []string{"https://pictures.test"} })
	docs := f.call("GET", "/docs", nil)
	require.Equal(t, http.StatusOK, docs.status)
	for _, part := range []string{
		"/v1/generations/{generation}/events", "Idempotency-Key", "schema-Settlement", "insufficient-credits",
	} {
		require.Contains(t, docs.body, part)
	}
	require.NotContains(t, docs.body, "http://", "pages load nothing from elsewhere")
	policy := docs.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'self'")
	require.Contains(t, policy, "img-src 'self' https://pictures.test data: blob:")
	require.Contains(t, policy, "connect-src 'self' https://pictures.test;")
	require.Contains(t, f.call("GET", "/problems", nil).body, "quote-expired")
	require.Contains(t, f.call("GET", "/docs/style.css", nil).header.Get("Content-Type"), "text/css")

	var spec map[string]any
	f.call("GET", "/openapi.json", nil).decode(t, &spec)
	require.Equal(t, "3.1.0", spec["openapi"])
	require.Contains(t, spec["components"].(map[string]any)["schemas"], "ProgressFrame")
}

func TestHealthReadyAndMetrics(t *testing.T) {
	t.Parallel()
	var broken, advice error
	f := newFixtureWith(t, func(c *api.Config) {
		c.Ready = []api.Check{
			{Name: "postgres", Ready: func(context.Context) error { return nil }},
			{Name: "kafka", Ready: func(context.Context) error { return broken }},
			{Name: "views", Ready: func(context.Context) error { return advice }, Advisory: true},
		}
	})
	require.JSONEq(t, `{"status":"ok"}`, f.call("GET", "/health", nil).body)
	require.JSONEq(t, `{"status":"ready"}`, f.call("GET", "/ready", nil).body)
	advice = errors.New("a view stands still")
	require.JSONEq(t, `{"status":"ready","warnings":["views: not as it should be"]}`, f.call("GET", "/ready", nil).body)
	broken = errors.New("dial tcp 10.0.0.7: refused")
	r := f.call("GET", "/ready", nil)
	p := r.problem(t)
	require.Equal(t, "not-ready", p.Code)
	require.Equal(t, "kafka", (*p.Errors)[0].Pointer)
	require.Len(t, *p.Errors, 1)
	require.NotContains(t, r.body, "10.0.0.7")
	require.Equal(t, http.StatusOK, f.call("GET", "/health", nil).status)

	f.call("GET", "/v1/generations/gen_01k00000000000000000000000", nil)
	f.call("BREW", "/made/up/path", nil)
	metrics := f.call("GET", "/metrics", nil).body
	const counter = "pingvas_http_requests_total"
	require.Contains(t, metrics, counter+`{method="GET",route="/v1/generations/{generation}",status="401"} 1`)
	require.Contains(t, metrics, counter+`{method="other",route="none",status="404"} 1`)
	require.Contains(t, metrics, "pingvas_http_request_seconds_bucket")
}

func TestLogHoldsNoSecretPromptOrQuery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	c.request("purchase")
	c.call("GET", "/v1/search?q=lighthouse", nil, headerOf("X-Request-Id", "trace-0001"))
	log := f.log.String()
	for _, secret := range []string{c.secret, "lighthouse", "purchase", "alice"} {
		require.NotContains(t, log, secret)
	}
	var line map[string]any
	lines := strings.Split(strings.TrimSpace(log), "\n")
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &line))
	require.Equal(t, "trace-0001", line["request_id"])
	require.Equal(t, "/v1/search", line["route"])
	require.EqualValues(t, 200, line["status"])
	require.Equal(t, string(c.id), line["account"])
}

func TestRequestIDsThatAreNotSaneAreReplaced(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, id := range []string{"", "short", "with space in it", strings.Repeat("a", 65), "né-en-ascii"} {
		got := f.call("GET", "/v1/plans", nil, headerOf("X-Request-Id", id)).header.Get("X-Request-Id")
		require.True(t, strings.HasPrefix(got, "req_"), got)
	}
	got := f.call("GET", "/nowhere.txt", nil, headerOf("X-Request-Id", "my-own-id")).header.Get("X-Request-Id")
	require.Equal(t, "my-own-id", got)
}

func TestWebAppIsServedWithItsPages(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(c *api.Config) {
		c.Web = fstest.MapFS{
			"index.html":        {Data: []byte("<!doctype html><title>app</title>")},
			"assets/app-1a.js":  {Data: []byte("1")},
			"favicon.svg":       {Data: []byte("<svg/>")},
			"assets/app-1a.css": {Data: []byte("a{}")},
		}
	})
	for _, path := range []string{"/", "/gallery", "/gallery/img_1", "/index.html"} {
		page := f.call("GET", path, nil)
		require.Equal(t, http.StatusOK, page.status, path)
		require.Contains(t, page.body, "<title>app</title>", path)
		require.Equal(t, "no-cache", page.header.Get("Cache-Control"))
		require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'self'")
	}
	script := f.call("GET", "/assets/app-1a.js", nil)
	require.Equal(t, "1", script.body)
	require.Contains(t, script.header.Get("Content-Type"), "javascript")
	require.Contains(t, script.header.Get("Cache-Control"), "immutable")
	require.Equal(t, "no-cache", f.call("GET", "/favicon.svg", nil).header.Get("Cache-Control"))
	for _, path := range []string{"/assets/old-2b.js", "/v1/gallery", "/internal/x", "/docs/x", "/../etc/passwd.txt"} {
		require.Equal(t, "not-found", f.call("GET", path, nil).code(t), path)
	}
	require.Equal(t, "not-found", f.call("POST", "/gallery", nil).code(t))
}

func TestWithoutTheWebAppAPageSaysSo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	page := f.call("GET", "/", nil)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, "without the web app")
	require.Contains(t, page.body, `href="/docs"`)
	require.Equal(t, "not-found", f.call("GET", "/gallery", nil).code(t))
}

func TestServeDrainsWhenItIsToldToStop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ctx, listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), "GET",
		"http://"+listener.Addr().String()+"/v1/generations/"+id+"/events", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+c.secret)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	cancel()
	select {
	case err := <-served:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		require.Fail(t, "the server did not stop")
	}
}

func TestIDsRiseAndAreWellFormed(t *testing.T) {
	t.Parallel()
	ids := api.NewIDs(func() time.Time { return time.Unix(1_800_000_000, 0) })
	previous := ""
	for range 10_000 {
		id := ids.New("gen_")
		require.Less(t, previous, id)
		require.Regexp(t, "^gen_[0-9a-hjkmnp-tv-z]{26}$", id)
		previous = id
	}
}
