package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
)

// Timeouts of one connection and of one request.
const (
	headerTimeout  = 10 * time.Second // reading the headers
	readTimeout    = 30 * time.Second // reading the whole request
	requestTimeout = 30 * time.Second // answering it; streams have their own
	writeTimeout   = 60 * time.Second // writing the answer; streams move it on
	idleTimeout    = 2 * time.Minute
	drainTimeout   = 15 * time.Second // for requests that run when the server is told to stop
	headerBytesMax = 64 << 10
)

// Server answers HTTP requests. Its methods are safe for concurrent use.
type Server struct {
	ledger   *commands.Ledger
	quotes   *commands.Quotes
	queries  Queries
	keys     Keys
	pictures Pictures
	history  history
	hub      *Hub
	pace     *commands.Pace
	outage   func(error) bool
	ready    []Check
	workers  tokens
	admins   tokens
	clock    func() time.Time
	newID    func(string) string
	log      *slog.Logger

	publicURL string
	policy    string // Content-Security-Policy
	heartbeat time.Duration
	poll      time.Duration

	contract *contract
	pages    *pages
	web      *webApp
	metrics  *metrics
	streams  *streamCount
	handler  http.Handler
	stopping chan struct{}
	stopOnce sync.Once
}

// New returns a Server. It does not listen: see Serve and Handler.
func New(c Config) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	doc, err := gen.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	s := &Server{
		ledger: c.Ledger, quotes: c.Quotes, queries: c.Queries, keys: c.Keys, pictures: c.Pictures,
		history: history{store: c.Store, codec: c.Codec}, hub: c.Hub, pace: c.Pace, outage: c.Outage, ready: c.Ready,
		workers: newTokens(c.WorkerTokens), admins: newTokens(c.AdminTokens), clock: c.Now, newID: c.NewID, log: c.Log,
		publicURL: c.PublicURL, policy: contentPolicy(c.PictureOrigins),
		heartbeat: orDefault(c.Heartbeat, heartbeatEvery), poll: orDefault(c.Poll, pollEvery),
		contract: newContract(doc), streams: newStreamCount(), stopping: make(chan struct{}),
	}
	if s.hub == nil {
		s.hub = NewHub()
	}
	if s.metrics, err = newMetrics(c.Metrics); err != nil {
		return nil, err
	}
	if s.pages, err = newPages(doc); err != nil {
		return nil, err
	}
	if s.web, err = newWebApp(c.Web, s.pages); err != nil {
		return nil, err
	}
	router, err := s.routes()
	if err != nil {
		return nil, err
	}
	dispatch, err := newDispatch(router)
	if err != nil {
		return nil, fmt.Errorf("look up the routes: %w", err)
	}
	s.handler = s.around(dispatch)
	return s, nil
}

// Handler returns the whole server as one handler.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on the listener until ctx is done, then ends the streams, waits a while for the other
// requests, and returns nil.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	s.Stop()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain HTTP requests: %w", err), server.Close())
	}
	<-failed
	return err
}

// Stop ends the streams; their callers connect again elsewhere. Serve does it by itself.
func (s *Server) Stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

// now is the time that commands get: UTC, in microseconds, as the ledger keeps it.
func (s *Server) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// routes returns the router. Paths are not cleaned: a path that is not exactly a route is not found.
func (s *Server) routes() (*mux.Router, error) {
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(s.notFound)
	r.MethodNotAllowedHandler = s.methodNotAllowed(r)
	// Routes are tried in their order: those that are called most come first.
	public := r.NewRoute().Subrouter()
	strict := gen.NewStrictHandlerWithOptions(s, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			s.fail(w, r, decodeError(err))
		},
		ResponseErrorHandlerFunc: s.fail,
	})
	gen.HandlerWithOptions(strict, gen.GorillaServerOptions{
		BaseRouter: public,
		ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			s.fail(w, r, paramError(err))
		},
	})
	if err := wrap(public, s.admit); err != nil {
		return nil, err
	}
	s.internalRoutes(r)
	s.pageRoutes(r)
	return r, wrap(r, s.named)
}

// wrap puts a middleware around the handler of each route, once: mux would do it anew for every request.
func wrap(r *mux.Router, middleware func(route *mux.Route, next http.Handler) (http.Handler, error)) error {
	return r.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		if route.GetHandler() == nil {
			return nil // it has routes of its own
		}
		handler, err := middleware(route, route.GetHandler())
		if err != nil {
			return fmt.Errorf("wrap a route: %w", err)
		}
		route.Handler(handler)
		return nil
	})
}

// paramError says which parameter the generated code could not read.
func paramError(err error) error {
	var format *gen.InvalidParamFormatError
	var many *gen.TooManyValuesForParamError
	switch {
	case errors.As(err, &format):
		return invalidField(format.ParamName, "does not have the right form")
	case errors.As(err, &many):
		return invalidField(many.ParamName, "is given more than once")
	}
	return invalidField("", "a parameter is missing or does not have the right form")
}

// named notes the template of the matched route for the log and the metrics.
func (s *Server) named(route *mux.Route, next http.Handler) (http.Handler, error) {
	template, err := route.GetPathTemplate()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callOf(r.Context()).route = template
		next.ServeHTTP(w, r)
	}), err
}

// notStored is a header of answers of the contract. It is not changed.
var notStored = []string{"no-store"}

// admit lets a request of the contract pass that has a key and follows the contract. It returns an error for a route
// that is not in the contract.
func (s *Server) admit(route *mux.Route, next http.Handler) (http.Handler, error) {
	op, err := s.contract.operation(route)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Cache-Control"] = notStored
		if !op.public {
			if err := s.authenticate(r); err != nil {
				s.fail(w, r, err)
				return
			}
		}
		if err := s.contract.check(r, op); err != nil {
			s.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// methodNotAllowed answers with the methods that the path has.
func (s *Server) methodNotAllowed(router *mux.Router) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
			other := r.Clone(r.Context())
			other.Method = method
			var match mux.RouteMatch
			if router.Match(other, &match) && match.MatchErr == nil {
				w.Header().Add("Allow", method)
			}
		}
		s.fail(w, r, &refusal{code: codeMethodNotAllowed, detail: "this path has no such method"})
	})
}

// notFound answers paths without a route: with the web app where a browser may ask for it, else with a problem.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	if s.web.serves(r) {
		s.web.serve(w, r, s.policy)
		return
	}
	s.fail(w, r, domain.Errorf(domain.CodeNotFound, "there is nothing at this path"))
}
