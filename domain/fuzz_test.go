package domain_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

// An id that passes is its prefix and a ULID, whatever was given.
func FuzzIDs(f *testing.F) {
	for _, prefix := range []string{
		domain.PrefixAccount, domain.PrefixGeneration, domain.PrefixReservation, domain.PrefixGrant, domain.PrefixKey, "",
	} {
		f.Add(prefix + ulid)
		f.Add(prefix + strings.ToUpper(ulid))
	}
	f.Fuzz(func(t *testing.T, id string) {
		passed := 0
		for prefix, err := range map[string]error{
			domain.PrefixAccount: domain.AccountID(id).Check(), domain.PrefixGeneration: domain.GenerationID(id).Check(),
			domain.PrefixReservation: domain.ReservationID(id).Check(), domain.PrefixGrant: domain.GrantID(id).Check(),
			domain.PrefixKey: domain.KeyID(id).Check(),
		} {
			if err != nil {
				require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
				continue
			}
			passed++
			body, ok := strings.CutPrefix(id, prefix)
			require.True(t, ok)
			require.Len(t, body, len(ulid))
			require.Empty(t, strings.Trim(body, "0123456789abcdefghjkmnpqrstvwxyz"))
		}
		require.LessOrEqual(t, passed, 1, "an id is of one kind")
	})
}

// An image id that passes is the only one for its generation and index.
func FuzzImageID(f *testing.F) {
	for _, seed := range []string{
		"img_" + ulid + "_0", "img_" + ulid + "_-0", "img_" + ulid + "_١", "img_img_" + ulid + "_1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id := domain.ImageID(text)
		generation, index, err := id.Split()
		require.Equal(t, err == nil, id.Check() == nil)
		if err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			require.Zero(t, generation)
			require.Zero(t, index)
			return
		}
		require.NoError(t, generation.Check())
		require.Equal(t, id, domain.NewImageID(generation, index))
	})
}
