package api

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/queries"
)

// CountImages implements gen.StrictServerInterface.
func (s *Server) CountImages(
	ctx context.Context, request gen.CountImagesRequestObject,
) (gen.CountImagesResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	filter, err := s.toFilter(ctx, request.Body.Filter)
	if err != nil {
		return nil, err
	}
	count, as, err := s.queries.CountImages(ctx, read, filter)
	if err != nil {
		return nil, err
	}
	return gen.CountImages200JSONResponse{
		Body: gen.ImageCount{Images: count.Images, More: count.More},
		Headers: gen.CountImages200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// BulkImages implements gen.StrictServerInterface.
func (s *Server) BulkImages(
	ctx context.Context, request gen.BulkImagesRequestObject,
) (gen.BulkImagesResponseObject, error) {
	key, err := idempotency(ctx, "POST", request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	change, err := toChange(request.Body.Action)
	if err != nil {
		return nil, err
	}
	in, as, err := s.selected(ctx, request)
	if err != nil {
		return nil, err
	}
	in.Change, in.At = change, s.now()
	receipt, err := s.ledger.BulkImages(ctx, caller(ctx, key), in)
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	known := receipt.Position
	if known.IsZero() {
		known = as.Position
	}
	return gen.BulkImages200JSONResponse{
		Body: toBulkResult(receipt.Result),
		Headers: gen.BulkImages200ResponseHeaders{
			PingvasPosition: position(known), PingvasStale: yes(as.Stale), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// selected returns the images of one bulk call, and where the next one goes on.
func (s *Server) selected(
	ctx context.Context, request gen.BulkImagesRequestObject,
) (commands.BulkImages, queries.As, error) {
	body := request.Body
	var in commands.BulkImages
	if (body.Filter == nil) == (body.Images == nil) {
		return in, queries.As{}, invalidField("/filter", "give either a filter or images")
	}
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return in, queries.As{}, err
	}
	if body.Images != nil {
		if body.Cursor != nil {
			return in, queries.As{}, invalidField("/cursor", "goes with a filter only")
		}
		in.Images = toIDs[domain.ImageID](*body.Images)
		return in, queries.As{}, nil
	}
	filter, err := s.toFilter(ctx, *body.Filter)
	if err != nil {
		return in, queries.As{}, err
	}
	page := queries.Page{Cursor: or(body.Cursor), Limit: commands.BulkImagesMax}
	if body.Limit != nil {
		page.Limit = int(*body.Limit)
	}
	found, as, err := s.queries.Images(ctx, read, queries.ImagesQuery{Page: page, ImageFilter: filter})
	for _, m := range found.Images {
		in.Images = append(in.Images, m.ID)
	}
	in.Filter, in.Next = filter.Filter, found.Next
	return in, as, err
}

// toChange refuses an action that deletes and does something else.
func toChange(a gen.BulkAction) (commands.ImageChange, error) {
	change := commands.ImageChange{
		AddTags: or(a.AddTags), RemoveTags: or(a.RemoveTags), Favourite: a.Favourite, Rating: toRating(a.Rating),
		Delete: a.Delete != nil,
	}
	if a.AddToBoard != nil {
		change.AddBoards = []domain.BoardID{domain.BoardID(*a.AddToBoard)}
	}
	if a.RemoveFromBoard != nil {
		change.RemoveBoards = []domain.BoardID{domain.BoardID(*a.RemoveFromBoard)}
	}
	a.Delete = nil
	if change.Delete && a != (gen.BulkAction{}) {
		return change, invalidField("/action/delete", "goes with nothing else")
	}
	return change, nil
}

func toBulkResult(r commands.BulkResult) gen.BulkResult {
	out := gen.BulkResult{
		Changed: int32(r.Changed), Unchanged: int32(r.Unchanged), Skipped: int32(r.Skipped),
		Refused: make([]gen.BulkRefusal, len(r.Refused)), HasMore: r.Next != "", NextCursor: opt(r.Next),
	}
	for i, one := range r.Refused {
		out.Refused[i] = gen.BulkRefusal{Image: string(one.Image), Code: string(one.Code), Detail: opt(one.Msg)}
	}
	return out
}

// toFilter returns CodeNotFound for a generation that is not the caller's.
func (s *Server) toFilter(ctx context.Context, f gen.ImageFilter) (queries.ImageFilter, error) {
	only, err := s.ownGeneration(ctx, f.Generation)
	return queries.ImageFilter{
		Filter: image.Filter{
			Tags: or(f.Tags), Favourite: f.Favourite, Board: domain.BoardID(or(f.Board)), RatingMin: int(or(f.RatingMin)),
			RatingMax: toRating(f.RatingMax),
		},
		Model: or(f.Model), Generation: only, From: orUTC(f.From), To: orUTC(f.To),
	}, err
}

func toRating(stars *int32) *int {
	if stars == nil {
		return nil
	}
	n := int(*stars)
	return &n
}

func orUTC(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func toIDs[To, From ~string](ids []From) []To {
	out := make([]To, len(ids))
	for i, id := range ids {
		out[i] = To(id)
	}
	return out
}
