package api_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
)

// The price of a request that only the contract's validation works on.
func BenchmarkQuote(b *testing.B) {
	c := newFixture(b).open("alice")
	for b.Loop() {
		r := c.call("POST", "/v1/quotes", `{"model":"flux-dev","width":512,"height":512,"steps":20,"count":2}`)
		require.Equal(b, http.StatusOK, r.status)
	}
}

// The dearest body that is still looked at.
func BenchmarkHostileBody(b *testing.B) {
	c := newFixture(b).open("alice")
	body := `{"model":"flux-dev","prompt":"x","tags":[` + strings.Repeat("1,", 1900) + `1]}`
	for b.Loop() {
		r := c.call("POST", "/v1/generations", body, headerOf("Idempotency-Key", "x"))
		require.Equal(b, http.StatusBadRequest, r.status)
	}
}

// The price of a reservation and its end beside the network and Postgres: the whole way through the server, on a ledger
// in memory.
func BenchmarkReservation(b *testing.B) {
	f := newFixtureWith(b, func(c *api.Config) { c.Log = slog.New(slog.DiscardHandler) })
	c := f.open("alice")
	out := &sink{header: http.Header{}}
	send := func(path, key, body string, status int) {
		clear(out.header)
		out.body.Reset()
		f.server.Handler().ServeHTTP(out, &http.Request{
			Method: http.MethodPost, URL: &url.URL{Path: path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: headerOf("Authorization", "Bearer "+c.secret, "Content-Type", "application/json", "Idempotency-Key", key),
			Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		})
		require.Equal(b, status, out.status)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		key := strconv.Itoa(n)
		send("/v1/reservations", "reserve "+key,
			`{"amount":10,"use":{"model":"sdxl-1.0","operation":"text_to_image"},"expires_in":3600}`, http.StatusCreated)
		_, id, _ := strings.Cut(out.body.String(), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		send("/v1/reservations/"+id+"/settle", "settle "+key, `{"amount":0}`, http.StatusOK)
	}
}

// sink is a http.ResponseWriter that keeps the last answer.
type sink struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return s.body.Write(b) }
