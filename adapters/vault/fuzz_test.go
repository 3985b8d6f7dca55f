package vault

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A key is read as the id and the secret that it was made of, and by no other text.
func FuzzSplitKey(f *testing.F) {
	good := secretOf("key_01k00000000000000000000001", strings.Repeat("_", 43))
	for _, seed := range []string{
		good, "", "pv_", good + "x", good[1:], strings.ToUpper(good), strings.Replace(good, "_", "__", 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, secret, ok := splitKey(text)
		if !ok {
			return
		}
		require.NoError(t, id.Check())
		require.Equal(t, text, secretOf(id, secret))
		require.NotContains(t, shown(id), secret)
	})
}
