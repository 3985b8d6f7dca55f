package settle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
)

// Bounds of what a worker may tell.
const (
	imageBytesMax = 64 << 20
	edgeMax       = 16_384 // pixels
	textBytesMax  = 200    // of names and causes
	sha256Digits  = 64
	contentType   = "image/png"
)

// check refuses a result that no worker can have meant.
func check(r generation.Result, owner domain.AccountID) error {
	switch {
	case r.Attempt < 1:
		return fmt.Errorf("attempt %d", r.Attempt)
	case (r.Failure == nil) != (len(r.Images) > 0):
		return errors.New("it must have either images or a failure")
	case len(r.Images) > pricing.CountMax:
		return fmt.Errorf("%d images", len(r.Images))
	case r.Worker == "" || r.GPUMillis < 0:
		return errors.New("it must have a worker, and no negative time")
	case tooLong(r.Worker, r.Engine, r.EngineVersion):
		return errors.New("a name is too long")
	case r.Failure != nil && (r.Failure.Cause == "" || tooLong(r.Failure.Cause)):
		return errors.New("a failure must have a short cause")
	}
	for i, image := range r.Images {
		if err := checkImage(r, owner, i); err != nil {
			return fmt.Errorf("image %d (%s): %w", i, image.Image, err)
		}
	}
	return nil
}

// checkImage demands that the image lies where this attempt was told to put it: never in another account's place.
func checkImage(r generation.Result, owner domain.AccountID, i int) error {
	image := r.Images[i]
	switch {
	case image.Image != domain.NewImageID(r.Generation, i):
		return errors.New("it has another's id")
	case image.Key != generation.ObjectKey(owner, r.Generation, r.Attempt, i),
		image.ThumbnailKey != generation.ThumbnailKey(owner, r.Generation, r.Attempt, i):
		return errors.New("it lies in another's place")
	case image.ContentType != contentType:
		return errors.New("it is no PNG")
	case image.Bytes < 1 || image.Bytes > imageBytesMax:
		return fmt.Errorf("it has %d bytes", image.Bytes)
	case image.Width < 1 || image.Width > edgeMax || image.Height < 1 || image.Height > edgeMax:
		return fmt.Errorf("it has %d by %d pixels", image.Width, image.Height)
	case !isDigest(image.SHA256):
		return errors.New("its digest is not one")
	}
	return nil
}

func isDigest(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == sha256Digits && strings.ToLower(s) == s
}

func tooLong(names ...string) bool {
	for _, name := range names {
		if len(name) > textBytesMax {
			return true
		}
	}
	return false
}
