package pingvas_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every direct dependency has its reason in docs/dependencies.md.
func TestDependenciesHaveReasons(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	page, err := os.ReadFile("docs/dependencies.md")
	require.NoError(t, err)
	direct := 0
	for line := range strings.Lines(string(mod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) < 2 || !strings.Contains(fields[0], ".") || strings.Contains(line, "// indirect") {
			continue
		}
		direct++
		name := fields[0]
		for _, family := range []string{"github.com/aws/aws-sdk-go-v2", "github.com/blevesearch"} {
			if rest, ok := strings.CutPrefix(name, family); ok && rest != "" {
				name = family
			}
		}
		require.Contains(t, string(page), name, "give the reason for %s in docs/dependencies.md", fields[0])
	}
	require.Positive(t, direct)
}
