package commands

import (
	"context"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// BulkImagesMax is how many images one command may change. Their streams must fit into one read of the store.
const BulkImagesMax = 200

// BulkImages changes many images in the same way.
type BulkImages struct {
	Images []domain.ImageID
	// Filter is what the images were found by. Whoever is behind may have found some that do not match any more: these
	// stay as they are.
	Filter image.Filter
	Change ImageChange
	// Next is where the search that found the images goes on. It is recorded with the outcome: a repetition, which may
	// find others, gets the answer of the first time.
	Next string
	At   time.Time
}

// BulkResult is what became of the images of one command.
type BulkResult struct {
	Changed   int           `json:"changed"`
	Unchanged int           `json:"unchanged"` // they were like that already
	Skipped   int           `json:"skipped"`   // they are gone, or do not match any more
	Refused   []BulkRefusal `json:"refused,omitempty"`
	Next      string        `json:"next,omitempty"`
}

// BulkRefusal says why an image stayed as it was.
type BulkRefusal struct {
	Image domain.ImageID `json:"image"`
	Refusal
}

// BulkImages runs the use case: each image changes whole or not at all, and all that happens is recorded in one
// transaction. CodeNotFound for a board that the caller does not have, CodeInvalid for more than BulkImagesMax images.
func (l *Ledger) BulkImages(ctx context.Context, c Caller, in BulkImages) (Receipt[BulkResult], error) {
	if len(in.Images) > BulkImagesMax {
		return Receipt[BulkResult]{}, domain.Errorf(domain.CodeInvalid, "%d images in one command, at most %d",
			len(in.Images), BulkImagesMax)
	}
	return run(ctx, l, c, useCase[BulkResult]{
		name: "bulk_images", streams: bulkStreams(c.Account, in.Images),
		decide: func(w *work) (BulkResult, error) {
			out := BulkResult{Next: in.Next}
			if err := w.haveBoards(in.boards()); err != nil {
				return out, err
			}
			streams := w.byName()
			for _, id := range in.Images {
				if err := in.decide(w, streams, c.Account, id, &out); err != nil {
					return out, err
				}
			}
			return out, nil
		},
	})
}

// bulkStreams names each stream once: several images may come from one generation.
func bulkStreams(account domain.AccountID, images []domain.ImageID) []string {
	names := []string{eventstore.LibraryStream(account)}
	for _, id := range images {
		if maker, _, err := id.Split(); err == nil {
			names = append(names, eventstore.GenerationStream(maker), eventstore.ImageStream(id))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// byName returns the streams of the work.
func (w *work) byName() map[string]folded {
	streams := make(map[string]folded, len(w.held))
	for _, e := range w.held {
		streams[e.stream] = e.state
	}
	return streams
}

// boards are those that the command names.
func (in BulkImages) boards() []domain.BoardID {
	boards := slices.Concat(in.Change.AddBoards, in.Change.RemoveBoards)
	if in.Change.Boards != nil {
		boards = append(boards, *in.Change.Boards...)
	}
	return boards
}

// decide changes one image, counts what became of it, and returns what is no refusal.
func (in BulkImages) decide(
	w *work, streams map[string]folded, account domain.AccountID, id domain.ImageID, out *BulkResult,
) error {
	maker, index, err := id.Split()
	if err != nil {
		out.Skipped++
		return nil
	}
	w.use(streams[eventstore.GenerationStream(maker)])
	w.use(streams[eventstore.ImageStream(id)])
	made, err := w.picture(account, index)
	if err != nil || !in.matches(w) {
		out.Skipped++
		return nil
	}
	before, events := *w.image, len(w.events)
	if err := w.change(made, account, in.Change, in.At); err != nil {
		// A part of it may be decided: the image stays whole.
		*w.image, w.events, w.pending = before, w.events[:events], w.pending[:events]
		refusal, err := refusalOf(err)
		if err != nil {
			return err
		}
		out.Refused = append(out.Refused, BulkRefusal{id, *refusal})
		return nil
	}
	if len(w.events) == events {
		out.Unchanged++
	} else {
		out.Changed++
	}
	return nil
}

// matches looks at the image as it is now.
func (in BulkImages) matches(w *work) bool {
	s := w.image.state
	s.Boards = w.library.state.Existing(s.Boards)
	return in.Filter.Matches(s)
}
