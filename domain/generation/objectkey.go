package generation

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// PicturePrefix begins the key of every picture of an account, so that whatever lists or deletes by account needs no
// other index.
func PicturePrefix(account domain.AccountID) string { return fmt.Sprintf("pictures/%s/", account) }

// ObjectKey returns the key of the picture with this index, from 0, that an attempt makes. Each attempt has its own
// keys, so a late upload of an older attempt overwrites nothing.
func ObjectKey(account domain.AccountID, generation domain.GenerationID, attempt, index int) string {
	return objectKey(account, generation, attempt, index) + ".png"
}

// ThumbnailKey returns the key of the thumbnail beside ObjectKey.
func ThumbnailKey(account domain.AccountID, generation domain.GenerationID, attempt, index int) string {
	return objectKey(account, generation, attempt, index) + ".thumb.jpg"
}

func objectKey(account domain.AccountID, generation domain.GenerationID, attempt, index int) string {
	return fmt.Sprintf("%s%s/%d/%d", PicturePrefix(account), generation, attempt, index)
}

// UploadPrefix begins the key of every picture that customers have brought along. The store may drop them after two
// days: by then the jobs that need them have ended.
const UploadPrefix = "uploads/"

// UploadKey returns the key of an upload. The account is a part of it, so that nobody can name another's.
func UploadKey(account domain.AccountID, upload domain.UploadID) string {
	return fmt.Sprintf("%s%s/%s", UploadPrefix, account, upload)
}
