package generation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

func TestObjectKeysBeginWithTheirOwner(t *testing.T) {
	t.Parallel()
	const owner, id = domain.AccountID("acc_1"), domain.GenerationID("gen_2")
	require.Equal(t, "pictures/acc_1/gen_2/3/0.png", generation.ObjectKey(owner, id, 3, 0))
	require.Equal(t, "pictures/acc_1/gen_2/3/7.thumb.jpg", generation.ThumbnailKey(owner, id, 3, 7))
	require.True(t, strings.HasPrefix(generation.ObjectKey(owner, id, 1, 0), generation.PicturePrefix(owner)))
	require.False(t, strings.HasPrefix(generation.ObjectKey("acc_11", id, 1, 0), generation.PicturePrefix(owner)))
}
