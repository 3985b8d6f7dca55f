package opensearchtest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// bodyBytesMax is what a server takes by default (http.max_content_length).
const bodyBytesMax = 100 << 20

// Options say what server it is.
type Options struct {
	// Elasticsearch makes it that instead of OpenSearch.
	Elasticsearch bool
	// Version is the number that it gives; empty means a current one.
	Version string
	// Nori says that the plugin analysis-nori is installed.
	Nori bool
	// User and Password, or APIKey, are asked for if they are set.
	User, Password string
	APIKey         string
	// TLS makes it serve over TLS; Server.CA is its authority.
	TLS bool
}

// Server is a running server.
type Server struct {
	URL string
	CA  []byte // PEM

	options Options
	mu      sync.Mutex
	// under mu
	templates map[string]template
	indices   map[string]*index
	faults    []*Fault
	requests  []string // "POST _bulk", as they came
	plugin    bool     // Nori, which may be installed later
	met       Fault    // of the request that is answered
}

// Start starts a server that ends with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{options: o, templates: map[string]template{}, indices: map[string]*index{}, plugin: o.Nori}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // cut connections and unknown authorities are ordered
	if o.TLS {
		server.StartTLS()
		s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// InstallNori adds the plugin to a server that came without it.
func (s *Server) InstallNori() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugin = true
}

// Lose empties the server behind its users' backs.
func (s *Server) Lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates, s.indices = map[string]template{}, map[string]*index{}
}

// Indices returns the names of the indexes.
func (s *Server) Indices() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names()
}

// Answers reports whether an alias is on exactly one index.
func (s *Server) Answers(alias string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.withAlias(alias)) == 1
}

// Requests returns what was asked so far, as method and kind, and forgets it.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

// apiError is an answer that is not a success.
type apiError struct {
	status int
	kind   string
	reason string
}

func (e *apiError) Error() string { return e.reason }

func refuse(status int, kind, format string, args ...any) *apiError {
	return &apiError{status: status, kind: kind, reason: fmt.Sprintf(format, args...)}
}

func illegal(format string, args ...any) *apiError {
	return refuse(http.StatusBadRequest, "illegal_argument_exception", format, args...)
}

// route is one thing that can be asked.
type route struct {
	kind   string
	params []string
	types  []string // of the body; none means that there is none
	answer func(s *Server, path []string, r *http.Request, body []byte) (any, error)
}

const (
	typeJSON  = "application/json"
	typeLines = "application/x-ndjson"
)

// routes are by method and path, in which * stands for a name.
var routes = map[string]route{
	"GET /":                     {kind: "info", answer: (*Server).info},
	"POST /_analyze":            {kind: "_analyze", types: []string{typeJSON}, answer: (*Server).analyze},
	"PUT /_index_template/*":    {kind: "_index_template", types: []string{typeJSON}, answer: (*Server).putTemplate},
	"DELETE /_index_template/*": {kind: "_index_template", answer: (*Server).deleteTemplate},
	"PUT /*":                    {kind: "index", answer: (*Server).createIndex},
	"DELETE /*":                 {kind: "index", answer: (*Server).deleteIndex},
	"GET /*/_alias":             {kind: "_alias", answer: (*Server).getAliases},
	"POST /_aliases":            {kind: "_aliases", types: []string{typeJSON}, answer: (*Server).updateAliases},
	"POST /*/_refresh":          {kind: "_refresh", answer: (*Server).refresh},
	"POST /*/_bulk": {
		kind: "_bulk", params: []string{"require_alias"}, types: []string{typeJSON, typeLines}, answer: (*Server).bulk,
	},
	"POST /*/_search": {
		kind: "_search", params: []string{"routing", "preference", "allow_partial_search_results"},
		types: []string{typeJSON}, answer: (*Server).search,
	},
}

// find returns the route of a request and the names in its path.
func find(r *http.Request) (route, []string, bool) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var names []string
	pattern := make([]string, len(parts))
	for i, part := range parts {
		pattern[i] = part
		if part != "" && !strings.HasPrefix(part, "_") {
			pattern[i] = "*"
			names = append(names, part)
		}
	}
	found, ok := routes[r.Method+" /"+strings.Join(pattern, "/")]
	return found, names, ok
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.options.Elasticsearch {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyBytesMax))
	if err != nil {
		write(w, nil, refuse(http.StatusRequestEntityTooLarge, "", "the body is too large"))
		return
	}
	to, names, ok := find(r)
	if !ok {
		write(w, nil, illegal("no handler found for uri [%s] and method [%s]", r.URL.Path, r.Method))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+to.kind)
	if err := s.admit(to, r, body); err != nil {
		write(w, nil, err)
		return
	}
	fault := s.fault(to.kind)
	if fault.meets(w, false) {
		return
	}
	answer, err := to.answer(s, names, r, body)
	if fault.meets(w, true) {
		return
	}
	write(w, answer, err)
}

// admit refuses what the route does not know.
func (s *Server) admit(to route, r *http.Request, body []byte) error {
	if !s.authorised(r) {
		return refuse(http.StatusUnauthorized, "security_exception", "missing authentication credentials")
	}
	for name := range r.URL.Query() {
		if !slices.Contains(to.params, name) {
			return illegal("request [%s] contains unrecognized parameter: [%s]", r.URL.Path, name)
		}
	}
	kind := r.Header.Get("Content-Type")
	switch {
	case len(to.types) == 0 && len(body) > 0:
		return illegal("request [%s %s] does not support having a body", r.Method, r.URL.Path)
	case len(to.types) > 0 && !slices.Contains(to.types, kind):
		return refuse(http.StatusNotAcceptable, "", "Content-Type header [%s] is not supported", kind)
	}
	return nil
}

func (s *Server) authorised(r *http.Request) bool {
	o := s.options
	if o.APIKey != "" {
		return strings.EqualFold(r.Header.Get("Authorization"), "ApiKey "+o.APIKey) // the scheme has no case
	}
	user, password, _ := r.BasicAuth()
	return o.User == "" || user == o.User && password == o.Password
}

func write(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	status := http.StatusOK
	if err != nil {
		failed, ok := err.(*apiError)
		if !ok {
			failed = refuse(http.StatusInternalServerError, "exception", "%v", err)
		}
		status = failed.status
		cause := object{"type": failed.kind, "reason": failed.reason}
		answer = object{
			"error":  object{"root_cause": []any{cause}, "type": failed.kind, "reason": failed.reason},
			"status": status,
		}
		if failed.kind == "" { // some errors have no type
			answer = object{"error": failed.reason, "status": status}
		}
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // whoever has gone gets no answer
}

type object = map[string]any

func (s *Server) info([]string, *http.Request, []byte) (any, error) {
	version := object{"number": s.options.Version, "lucene_version": "9.12.3"}
	tagline := "The OpenSearch Project: https://opensearch.org/"
	if s.options.Elasticsearch {
		tagline = "You Know, for Search"
		version["build_flavor"] = "default"
	} else {
		version["distribution"] = "opensearch"
	}
	if s.options.Version == "" {
		version["number"] = map[bool]string{true: "8.19.7", false: "2.19.6"}[s.options.Elasticsearch]
	}
	return object{"name": "stub", "cluster_name": "stub", "version": version, "tagline": tagline}, nil
}
