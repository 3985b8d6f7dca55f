package generation_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain/generation"
)

func TestObjectKeys(t *testing.T) {
	t.Parallel()
	require.Equal(t, "pictures/acc_1/gen_2/3/0.png", generation.ObjectKey("acc_1", "gen_2", 3, 0))
	require.Equal(t, "pictures/acc_1/gen_2/3/0.thumb.jpg", generation.ThumbnailKey("acc_1", "gen_2", 3, 0))
	require.Equal(t, "pictures/acc_1/", generation.PicturePrefix("acc_1"))
}
