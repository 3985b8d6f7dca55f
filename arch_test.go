package pingvas_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/pingvas/pingvas/"

// allowed is a statement of policy, not a description: package -> our packages that its non-test code may import.
// Patterns are those of path.Match. A package without a row fails. Change it only together with docs/architecture.md.
var allowed = map[string][]string{
	"domain":            {},
	"domain/account":    {"domain"},
	"domain/pricing":    {"domain"},
	"domain/settlement": {"domain"},
	"domain/generation": {"domain", "domain/pricing", "domain/settlement"},
	"domain/image":      {"domain"},
	"domain/library":    {"domain"},
	"domain/catalog":    {"domain", "domain/*"},
	"domain/domaintest": {"domain"},

	"eventstore":           {"domain"},
	"eventstore/memory":    {"domain", "eventstore"},
	"eventstore/postgres":  {"domain", "eventstore"},
	"eventstore/outbox":    {"domain", "eventstore"},
	"eventstore/audit":     {"domain", "domain/account", "domain/generation", "eventstore"},
	"eventstore/storetest": {"domain", "eventstore"},

	"commands": {"domain", "domain/*", "eventstore"},

	"projections":                   {"domain", "eventstore"},
	"projections/search":            {"domain", "domain/*", "eventstore", "projections", "projections/search/words"},
	"projections/search/words":      {},
	"projections/search/searchtest": {"domain", "projections/search"},
	"projections/projectiontest":    {"domain", "domain/*", "eventstore", "projections", "internal/pgtest"},
	"projections/*":                 {"domain", "domain/*", "eventstore", "projections"},

	"workers":                     {"domain", "domain/*", "eventstore"},
	"workers/dispatch":            {"domain", "domain/*", "eventstore", "workers"},
	"workers/settle":              {"domain", "domain/*", "eventstore", "workers", "commands"},
	"workers/cleanup":             {"domain", "domain/*", "eventstore", "workers", "commands"},
	"workers/generate":            {"domain", "domain/*", "workers", "workers/picture"},
	"workers/generate/enginetest": {"workers/generate"},
	"workers/picture":             {},

	"queries": {"domain", "domain/*", "eventstore", "projections", "projections/*"},

	"api":     {"domain", "domain/*", "eventstore", "commands", "queries", "api/gen"},
	"api/gen": {},
	"web":     {},

	"adapters/vault":                     {"domain", "eventstore"},
	"adapters/kafka":                     {},
	"adapters/kfake":                     {},
	"adapters/pgserver":                  {},
	"adapters/s3":                        {},
	"adapters/s3dev":                     {},
	"adapters/sketch":                    {"workers/generate"},
	"adapters/bleve":                     {"domain", "projections/search", "projections/search/words"},
	"adapters/opensearch":                {"domain", "projections/search", "projections/search/words"},
	"adapters/opensearch/opensearchtest": {},
	"adapters/invokeai":                  {"domain/pricing", "workers", "workers/generate"},
	"adapters/invokefake":                {},

	"cmd/pingvas/ledgerbench": {"domain", "domain/*", "eventstore", "commands"},
	"cmd/pingvas/searchbench": {
		"domain", "domain/generation", "domain/pricing", "eventstore", "projections/search",
	},
	"cmd/pingvas": {
		"cmd/pingvas/ledgerbench", "cmd/pingvas/searchbench",
		"domain", "domain/*", "eventstore", "eventstore/*", "commands", "projections", "projections/*", "workers",
		"workers/*", "queries", "api", "web", "adapters/*",
	},

	"internal/crash":      {},
	"internal/pgtest":     {"adapters/pgserver"},
	"internal/kafkatest":  {"adapters/kfake"},
	"internal/porttest":   {},
	"internal/simulation": {},
	"internal/mutate":     {},
}

// pure lists what domain code may import of the standard library: nothing that tells time, draws, does I/O or codes.
var pure = []string{
	"cmp", "errors", "fmt", "iter", "maps", "math", "slices", "strconv", "strings", "time", "unicode", "unicode/utf8",
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if p.ImportPath+"/" == module {
			continue
		}
		policy, ok := policyFor(name)
		if !ok {
			t.Errorf("%s has no row in the table of allowed imports", name)
			continue
		}
		for _, imported := range p.Imports {
			ours, is := strings.CutPrefix(imported, module)
			switch {
			case is && !matches(policy, ours):
				t.Errorf("%s must not import %s", name, ours)
			case !is && strings.HasPrefix(name, "domain") && name != "domain/domaintest" && !slices.Contains(pure, imported):
				t.Errorf("%s must not import %s: the domain is pure", name, imported)
			case !is && imported == "testing" && !strings.HasSuffix(name, "test"):
				t.Errorf("%s must not import testing", name)
			}
		}
	}
}

// policyFor returns the row of a package; an exact row wins over a pattern.
func policyFor(name string) ([]string, bool) {
	if row, ok := allowed[name]; ok {
		return row, true
	}
	for pattern, row := range allowed {
		if ok, _ := path.Match(pattern, name); ok {
			return row, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	require.NoError(t, err)
	var all []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for decoder.More() {
		var p listed
		require.NoError(t, decoder.Decode(&p))
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}
