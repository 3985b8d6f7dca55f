package pricing_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/pricing"
)

var update = flag.Bool("update", false, "write the price lists that are missing; it never changes one that is there")

const updateCommand = "go test ./domain/pricing -run TestPublished -update"

// TestPublished holds prices to what customers were told. The book of a version is never edited, since requests and
// quotes name it: another price is another version, with a file of its own. The file of the plans changes with a
// change of the offer, and then on purpose.
func TestPublished(t *testing.T) {
	t.Parallel()
	book := pricing.Current()
	published(t, "book-"+book.Version, book)
	published(t, "plans", pricing.Plans())
}

func published(t *testing.T, name string, value any) {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	var now bytes.Buffer
	require.NoError(t, json.Indent(&now, data, "", "  "))
	now.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	told, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		told, err = now.Bytes(), os.WriteFile(path, now.Bytes(), 0o600)
	}
	require.NoError(t, err, "write the missing file with: %s", updateCommand)
	require.Equal(t, string(told), now.String())
}

// TestPublicBounds holds what the API promises for every model.
func TestPublicBounds(t *testing.T) {
	t.Parallel()
	require.Equal(t, 4000, pricing.PromptRunesMax)
	for _, m := range pricing.Current().Models {
		require.Equal(t, 8, m.Count.Max)
	}
}
