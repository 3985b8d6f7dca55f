package api

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// headerRequestID carries the request id in both directions.
const headerRequestID = "X-Request-Id"

// sane are the request ids that callers may give themselves; other ids are replaced.
var sane = regexp.MustCompile(`^[0-9A-Za-z._:-]{8,64}$`)

// prefixRequest begins the request ids that are made here.
const prefixRequest = "req_"

// streamSuffix ends the routes that answer for as long as there is something to tell.
const streamSuffix = "/events"

// cautious are the headers that every answer begins with. Handlers may replace them.
var cautious = http.Header{
	"X-Content-Type-Options":  {"nosniff"},
	"Referrer-Policy":         {"no-referrer"},
	"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"},
}

// around wraps the router, so that requests without a route are treated like all others.
func (s *Server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		c := &call{Context: r.Context(), id: s.requestID(r)}
		if !strings.HasSuffix(r.URL.Path, streamSuffix) {
			c.within.at = started.Add(requestTimeout)
		}
		defer c.within.end()
		out := &answer{ResponseWriter: w}
		header := out.Header()
		header[headerRequestID] = []string{c.id}
		maps.Copy(header, cautious)
		r.Body = http.MaxBytesReader(w, r.Body, bodyBytesMax) // w itself: it closes the connection of a huge body
		r = r.WithContext(c)

		s.metrics.open.Inc()
		defer func() {
			s.metrics.open.Dec()
			s.report(c, r.Method, out, time.Since(started))
		}()
		defer s.recovered(out, r)
		next.ServeHTTP(out, r)
	})
}

// requestID returns the id that the caller has given the request, or a new one.
func (s *Server) requestID(r *http.Request) string {
	if id := r.Header.Get(headerRequestID); id != "" && sane.MatchString(id) {
		return id
	}
	return s.newID(prefixRequest)
}

// recovered turns a panic into a problem, or into a broken connection if the answer has begun.
func (s *Server) recovered(w *answer, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	c := callOf(r.Context())
	s.log.ErrorContext(r.Context(), "panic", "request_id", c.id, "route", c.route, "cause", fmt.Sprint(cause),
		"stack", string(debug.Stack()))
	s.metrics.panics.Inc()
	if w.status != 0 {
		panic(http.ErrAbortHandler)
	}
	s.writeProblem(w, c, newProblem(domain.CodeInternal, "an unexpected error occurred"))
}

// report writes the access log and counts the request. Neither holds the query, the body or a secret.
func (s *Server) report(c *call, method string, w *answer, took time.Duration) {
	status := w.status
	if status == 0 {
		status = http.StatusOK
	}
	if c.gone {
		status = statusClientGone
	}
	s.metrics.count(method, c.route, status, took)
	s.log.LogAttrs(c, slog.LevelInfo, "request",
		slog.String("request_id", c.id), slog.String("method", method), slog.String("route", c.route),
		slog.Int("status", status), slog.Int64("bytes", w.bytes), slog.Duration("took", took),
		slog.String("account", string(c.who.Account)), slog.String("key", string(c.who.Key)))
}

// answer notes what was written. Unwrap lets http.ResponseController reach the connection.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is called by http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
