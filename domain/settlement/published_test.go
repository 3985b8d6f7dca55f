package settlement_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/settlement"
)

// TestPublished holds the policy to what customers were told. The file of a version is never edited, since requests
// name the policy that they were made under: another rule is another version, with a file of its own.
func TestPublished(t *testing.T) {
	t.Parallel()
	policy := settlement.Current()
	told, err := os.ReadFile(filepath.Join("testdata", policy.Version+".json"))
	require.NoError(t, err, "a new version needs its file")
	now, err := json.MarshalIndent(policy, "", "  ")
	require.NoError(t, err)
	require.Equal(t, string(told), string(now)+"\n")
}
