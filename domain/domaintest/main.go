package domaintest

import (
	"flag"
	"os"
	"testing"
)

// Main is the TestMain of a package with laws. It makes rapid try more and longer histories than it does of itself,
// and print the seed of a failure instead of writing files. The command line still wins, because it is parsed later.
func Main(m *testing.M) {
	settings := map[string]string{"rapid.checks": "200", "rapid.steps": "50", "rapid.nofailfile": "true"}
	for name, value := range settings {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
