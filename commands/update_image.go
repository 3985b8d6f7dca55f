package commands

import (
	"context"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// UpdateImage changes what is given and leaves the rest.
type UpdateImage struct {
	Image domain.ImageID
	ImageChange
	// Version is the image's version that the caller has seen, or nil to change whatever there is.
	Version *int64
	At      time.Time
}

// ImageChange is what to do to an image: nil and empty fields change nothing.
type ImageChange struct {
	Tags         *[]string // instead of those it has
	AddTags      []string
	RemoveTags   []string // letter case is set aside
	Favourite    *bool
	Rating       *int
	Boards       *[]domain.BoardID // instead of those it is on
	AddBoards    []domain.BoardID
	RemoveBoards []domain.BoardID
	Delete       bool
}

// ImageMarks are the customer's marks on an image, and the version of the image.
type ImageMarks struct {
	Tags      []string         `json:"tags"`
	Favourite bool             `json:"favourite"`
	Rating    int              `json:"rating,omitempty"`
	Boards    []domain.BoardID `json:"boards,omitempty"`
	Version   int64            `json:"version"`
}

// UpdateImage runs the use case. CodePreconditionFailed if the image is not at the version that the caller has seen,
// CodeNotFound also for a board that the caller does not have.
func (l *Ledger) UpdateImage(ctx context.Context, c Caller, in UpdateImage) (Receipt[ImageMarks], error) {
	return onImage(ctx, l, c, "update_image", in.Image, func(w *work, made generation.Image) (ImageMarks, error) {
		if in.Version != nil && *in.Version != w.image.version {
			return ImageMarks{}, domain.Errorf(domain.CodePreconditionFailed, "the image is at version %d, not %d",
				w.image.version, *in.Version)
		}
		if err := w.change(made, c.Account, in.ImageChange, in.At); err != nil {
			return ImageMarks{}, err
		}
		s := w.image.state
		return ImageMarks{
			Tags:      append([]string{}, s.Tags...), // never null in the answer
			Favourite: s.Favourite, Rating: s.Rating, Boards: w.library.state.Existing(s.Boards), Version: w.image.version,
		}, nil
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
	return onImage(ctx, l, c, "delete_image", id, func(w *work, made generation.Image) (DeletedImage, error) {
		return DeletedImage{id}, w.change(made, c.Account, ImageChange{Delete: true}, at)
	})
}

// onImage runs a use case on one of the caller's images, or answers CodeNotFound.
func onImage[R any](
	ctx context.Context, l *Ledger, c Caller, name string, id domain.ImageID,
	decide func(*work, generation.Image) (R, error),
) (Receipt[R], error) {
	maker, index, err := id.Split()
	if err != nil {
		return Receipt[R]{}, errNoImage()
	}
	return run(ctx, l, c, useCase[R]{
		name: name,
		streams: []string{
			eventstore.GenerationStream(maker), eventstore.ImageStream(id), eventstore.LibraryStream(c.Account),
		},
		decide: func(w *work) (R, error) {
			made, err := w.picture(c.Account, index)
			if err != nil {
				var none R
				return none, err
			}
			return decide(w, made)
		},
	})
}

func errNoImage() error { return domain.Errorf(domain.CodeNotFound, "there is no such image") }

// picture returns what the work's generation made with this index, or CodeNotFound unless it is the account's.
func (w *work) picture(account domain.AccountID, index int) (generation.Image, error) {
	made := w.generation.state
	if made.Request.Account != account || index >= len(made.Images) {
		return generation.Image{}, errNoImage()
	}
	if w.image.state.Tags == nil { // never tagged since it was made
		w.image.state.Tags = made.Request.Spec.Tags
	}
	return made.Images[index], nil
}

// change does to the work's image what is asked for. When it returns an error it may have done a part.
func (w *work) change(made generation.Image, account domain.AccountID, c ImageChange, at time.Time) error {
	if tags, change := c.tags(w.image.state); change {
		if err := w.onImage(image.Tag{Image: made.Image, Account: account, Tags: tags, At: at}); err != nil {
			return err
		}
	}
	if c.Favourite != nil {
		mark := image.Favourite{Image: made.Image, Account: account, Favourite: *c.Favourite, At: at}
		if err := w.onImage(mark); err != nil {
			return err
		}
	}
	if c.Rating != nil {
		if err := w.onImage(image.Rate{Image: made.Image, Account: account, Rating: *c.Rating, At: at}); err != nil {
			return err
		}
	}
	if err := w.file(made.Image, account, c, at); err != nil || !c.Delete {
		return err
	}
	keys := []string{made.Key, made.ThumbnailKey}
	return w.onImage(image.Delete{Image: made.Image, Account: account, Keys: keys, At: at})
}

// tags returns the tags that the image shall have, and false if nobody asks for a change.
func (c ImageChange) tags(s image.State) ([]string, bool) {
	tags := s.Tags
	if c.Tags != nil {
		tags = *c.Tags
	}
	if len(c.RemoveTags) > 0 {
		tags = image.WithoutTags(tags, c.RemoveTags)
	}
	tags = slices.Concat(tags, c.AddTags)
	return tags, c.Tags != nil || len(c.RemoveTags) > 0 || len(c.AddTags) > 0
}

// file puts the image on boards and takes it off others. Those that have ended since it was put on them do not count.
func (w *work) file(id domain.ImageID, account domain.AccountID, c ImageChange, at time.Time) error {
	if c.Boards == nil && len(c.AddBoards) == 0 && len(c.RemoveBoards) == 0 {
		return nil
	}
	before := w.library.state.Existing(w.image.state.Boards)
	boards := before
	if c.Boards != nil {
		boards = *c.Boards
	}
	boards = slices.DeleteFunc(slices.Clone(boards), func(b domain.BoardID) bool {
		return slices.Contains(c.RemoveBoards, b)
	})
	boards = slices.Concat(boards, c.AddBoards)
	if err := w.haveBoards(slices.Concat(boards, c.RemoveBoards)); err != nil {
		return err
	}
	boards, err := image.NormalBoards(boards)
	if err == nil && slices.Equal(boards, before) && !w.image.state.Deleted {
		return nil
	}
	if err != nil {
		return err
	}
	return w.onImage(image.File{Image: id, Account: account, Boards: boards, At: at})
}

// haveBoards returns CodeNotFound unless the caller has all of the boards.
func (w *work) haveBoards(boards []domain.BoardID) error {
	if len(w.library.state.Existing(boards)) < len(boards) {
		return domain.Errorf(domain.CodeNotFound, "there is no such board")
	}
	return nil
}
