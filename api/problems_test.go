package api_test

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/domain"
)

var update = flag.Bool("update", false, "write the golden files")

func TestEveryCodeOfTheDomainHasARow(t *testing.T) {
	t.Parallel()
	rows := map[string]bool{}
	for _, k := range api.Kinds() {
		require.False(t, rows[string(k.Code)], "%s twice", k.Code)
		rows[string(k.Code)] = true
		require.NotEmpty(t, k.Title)
		require.NotEmpty(t, k.What)
		require.NotEmpty(t, k.Fix)
		require.NotEmpty(t, http.StatusText(k.Status))
		require.GreaterOrEqual(t, k.Status, 400)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "domain", "error.go"), nil, 0)
	require.NoError(t, err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Code") && len(spec.Values) == 1 {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.True(t, rows[code], "domain code %s has no row in the catalogue", code)
			found++
		}
		return true
	})
	require.Greater(t, found, 10)
}

// The body of each problem is part of the contract.
func TestProblemsLookAsTheyAlwaysDid(t *testing.T) {
	t.Parallel()
	for _, k := range api.Kinds() {
		f := newFixture(t)
		c := f.open("alice")
		f.queries.fail = func() error {
			return &domain.Error{Code: k.Code, Msg: "a sentence", Field: "/field", Detail: map[string]int{"secret": 1}}
		}
		r := c.call("GET", "/v1/balance", nil, headerOf("X-Request-Id", "req_golden"))
		require.Equal(t, k.Status, r.status, r.body)
		golden(t, string(k.Code)+".json", r.body)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "problems", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "write it with: go test ./api -run TestProblems -update")
	require.Equal(t, string(want), got)
}

func TestInternalErrorsTellNothingAndAreLoggedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	f.queries.fail = func() error { return fmt.Errorf("query: %w", errors.New("password=hunter2")) }
	r := c.call("GET", "/v1/balance", nil)
	require.Equal(t, http.StatusInternalServerError, r.status)
	p := r.problem(t)
	require.Equal(t, "internal", p.Code)
	require.NotContains(t, r.body, "hunter2")
	require.Equal(t, 1, strings.Count(f.log.String(), "hunter2"))
	require.Contains(t, f.log.String(), p.RequestID)
}

func TestOutagesAreNotInternalErrors(t *testing.T) {
	t.Parallel()
	away := errors.New("dial tcp 10.0.0.7: refused")
	f := newFixtureWith(t, func(c *api.Config) { c.Outage = func(err error) bool { return errors.Is(err, away) } })
	c := f.open("alice")
	f.queries.fail = func() error { return fmt.Errorf("query: %w", away) }
	r := c.call("GET", "/v1/balance", nil)
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.NotEmpty(t, r.header.Get("Retry-After"))
	require.Equal(t, "unavailable", r.problem(t).Code)
	require.NotContains(t, r.body, "10.0.0.7")
	f.queries.fail = func() error { return errors.New("bug") }
	require.Equal(t, http.StatusInternalServerError, c.call("GET", "/v1/balance", nil).status)
}

func TestPanicBecomesAProblem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	f.queries.fail = func() error { panic("broken invariant") }
	r := c.call("GET", "/v1/balance", nil)
	require.Equal(t, http.StatusInternalServerError, r.status)
	require.Equal(t, "internal", r.problem(t).Code)
	require.NotContains(t, r.body, "invariant")
	require.Contains(t, f.log.String(), "broken invariant")
	f.queries.fail = nil
	require.Equal(t, http.StatusOK, c.call("GET", "/v1/balance", nil).status)
}

func TestProblemTypeIsAPageThatExists(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(c *api.Config) { c.PublicURL = "https://api.example.com" })
	p := f.call("GET", "/v1/balance", nil).problem(t)
	path, ok := strings.CutPrefix(p.Type, "https://api.example.com")
	require.True(t, ok, p.Type)
	page := f.call("GET", path, nil)
	require.Equal(t, http.StatusOK, page.status)
	require.Contains(t, page.body, "Authorization: Bearer pv_…")
	require.Equal(t, "not-found", f.call("GET", "/problems/no-such-code", nil).problem(t).Code)
}

// docs/problems.md is the catalogue for people who read the repository.
func TestProblemsPageOfTheDocsIsCurrent(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "problems.md")
	var b strings.Builder
	b.WriteString("# Problems\n\nGenerated from `api/problems.go` by `go test ./api -run TestProblems -update`.\n\n" +
		"Every error of the API is `application/problem+json` (RFC 9457). Programs decide by `code`, which never\n" +
		"changes its meaning. The running server explains each at `/problems/{code}`.\n\n" +
		"| code | status | retryable | what happened | what to do |\n|---|---|---|---|---|\n")
	for _, k := range api.Kinds() {
		fmt.Fprintf(&b, "| `%s` | %d | %t | %s | %s |\n", k.Code, k.Status, k.Retryable, k.What, k.Fix)
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(have), "write it with: go test ./api -run TestProblems -update")
}
