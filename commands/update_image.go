package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// UpdateImage changes what is given and leaves the rest.
type UpdateImage struct {
	Image     domain.ImageID
	Tags      *[]string
	Favourite *bool
	// Version is the image's version that the caller has seen, or nil to change whatever there is.
	Version *int64
	At      time.Time
}

// ImageMarks are the customer's marks on an image, and the version of the image.
type ImageMarks struct {
	Tags      []string `json:"tags"`
	Favourite bool     `json:"favourite"`
	Version   int64    `json:"version"`
}

// UpdateImage runs the use case. CodePreconditionFailed if the image is not at the version that the caller has seen.
func (l *Ledger) UpdateImage(ctx context.Context, c Caller, in UpdateImage) (Receipt[ImageMarks], error) {
	return onImage(ctx, l, c, "update_image", in.Image, func(w *work, _ generation.Image) (ImageMarks, error) {
		if in.Version != nil && *in.Version != w.image.version {
			return ImageMarks{}, domain.Errorf(domain.CodePreconditionFailed, "the image is at version %d, not %d",
				w.image.version, *in.Version)
		}
		if in.Tags != nil {
			tag := image.Tag{Image: in.Image, Account: c.Account, Tags: *in.Tags, At: in.At}
			if err := w.onImage(tag); err != nil {
				return ImageMarks{}, err
			}
		}
		if in.Favourite != nil {
			mark := image.Favourite{Image: in.Image, Account: c.Account, Favourite: *in.Favourite, At: in.At}
			if err := w.onImage(mark); err != nil {
				return ImageMarks{}, err
			}
		}
		s := w.image.state
		tags := append([]string{}, s.Tags...) // never null in the answer
		return ImageMarks{Tags: tags, Favourite: s.Favourite, Version: w.image.version}, nil
	})
}

// DeletedImage is what became of an image.
type DeletedImage struct {
	Image domain.ImageID `json:"image"`
}

// DeleteImage removes an image from every view. Deleting it again changes nothing.
func (l *Ledger) DeleteImage(
	ctx context.Context, c Caller, id domain.ImageID, at time.Time,
) (Receipt[DeletedImage], error) {
	return onImage(ctx, l, c, "delete_image", id, func(w *work, picture generation.Image) (DeletedImage, error) {
		keys := []string{picture.Key, picture.ThumbnailKey}
		return DeletedImage{id}, w.onImage(image.Delete{Image: id, Account: c.Account, Keys: keys, At: at})
	})
}

// onImage runs a use case on one of the caller's images, or answers CodeNotFound.
func onImage[R any](
	ctx context.Context, l *Ledger, c Caller, name string, id domain.ImageID,
	decide func(*work, generation.Image) (R, error),
) (Receipt[R], error) {
	missing := domain.Errorf(domain.CodeNotFound, "there is no such image")
	maker, index, err := id.Split()
	if err != nil {
		return Receipt[R]{}, missing
	}
	return run(ctx, l, c, useCase[R]{
		name:    name,
		streams: []string{eventstore.GenerationStream(maker), eventstore.ImageStream(id)},
		decide: func(w *work) (R, error) {
			var none R
			made := w.generation.state
			if made.Request.Account != c.Account || index >= len(made.Images) {
				return none, missing
			}
			if w.image.state.Tags == nil { // never tagged since it was made
				w.image.state.Tags = made.Request.Spec.Tags
			}
			return decide(w, made.Images[index])
		},
	})
}
