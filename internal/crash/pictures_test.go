package crash

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/s3"
	"github.com/pingvas/pingvas/adapters/s3dev"
)

const (
	// removeMax bounds the removal of deleted pictures: the group that does it may wait for members that were killed.
	removeMax       = time.Minute
	pictureBytesMax = 16 << 20
	bucket          = "pictures"
)

// checkPictures looks into the store: every picture that was paid for is what the ledger says, unless its owner has
// deleted it, and those are gone.
func checkPictures(t *testing.T, c *cluster, b *books) {
	t.Helper()
	store, err := s3.New(t.Context(), s3.Config{
		Endpoint: c.setting("S3_ENDPOINT"), Region: s3dev.Region, Bucket: bucket, AccessKey: s3Access,
		SecretKey: s3Secret, PathStyle: true,
	})
	require.NoError(t, err)
	deleted := map[string]bool{}
	for _, e := range b.events {
		for _, key := range e.Keys {
			deleted[key] = true
		}
	}
	kept := 0
	for _, e := range b.events {
		for _, image := range e.Images {
			if deleted[image.Key] {
				continue
			}
			kept++
			content, err := store.Get(t.Context(), image.Key, pictureBytesMax)
			require.NoError(t, err, "%s of %s", image.Key, e.Generation)
			sum := sha256.Sum256(content)
			require.Equal(t, image.SHA256, hex.EncodeToString(sum[:]), "%s of %s", image.Key, e.Generation)
		}
	}
	var left []string
	err = await(t.Context(), removeMax, func(ctx context.Context) (bool, error) {
		left = nil
		for key := range deleted {
			switch _, err := store.Head(ctx, key); {
			case err == nil:
				left = append(left, key)
			case !errors.Is(err, s3.ErrNotFound):
				return false, err
			}
		}
		return len(left) == 0, nil
	})
	require.NoError(t, err, "deleted and still there: %s", strings.Join(left, " "))
	t.Logf("%d pictures are what the ledger says, %d files of deleted ones are gone", kept, len(deleted))
}
