package queries

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/search"
)

// SearchQuery asks for images by what they show. Zero fields do not filter.
type SearchQuery struct {
	Page
	Words     string   // all must match in the prompt or the tags
	Negative  string   // all must match in the negative prompt
	Tags      []string // all must be there; letter case is set aside
	Model     string
	Favourite *bool
	Width     int
	Height    int
	Seed      *uint32
	From      time.Time // made at or after
	To        time.Time // made before
}

// SearchPage is a page of hits, best first if there are words, else newest first.
type SearchPage struct {
	Images []Image
	Total  int64
	Next   string // empty on the last page
}

// Search returns the account's images that match. It returns CodeUnavailable if the engine does not answer.
func (s *Service) Search(ctx context.Context, r Read, q SearchQuery) (SearchPage, As, error) {
	if s.cfg.Engine == nil {
		return SearchPage{}, As{}, domain.Errorf(domain.CodeUnavailable, "this server does not search")
	}
	limit, err := q.size()
	if err != nil {
		return SearchPage{}, As{}, err
	}
	ask := search.Query{
		Account: r.Account, Words: q.Words, Negative: q.Negative, Tags: q.Tags, Model: q.Model, Favourite: q.Favourite,
		Width: q.Width, Height: q.Height, Seed: q.Seed, From: q.From, To: q.To,
	}
	filter := []any{"search", ask}
	ask.Limit = limit
	if q.Cursor != "" {
		if err := s.openCursor(q.Cursor, filter, &ask.After); err != nil {
			return SearchPage{}, As{}, err
		}
	}
	views := []projections.Progress{s.views.search, s.views.gallery}
	if err := s.wait(ctx, r, views); err != nil {
		return SearchPage{}, As{}, err
	}
	at, err := s.views.search.Position(ctx, s.cfg.Pool, s.shard(r))
	if err != nil {
		return SearchPage{}, As{}, err
	}
	hits, err := s.cfg.Engine.Search(ctx, ask)
	if err != nil {
		return SearchPage{}, As{}, refused(err)
	}
	page := SearchPage{Total: hits.Total}
	if hits.Next != "" {
		page.Next = s.sealCursor(filter, hits.Next)
	}
	images, as, err := s.hits(ctx, r, hits.Images, at)
	page.Images = images
	if at.Pos < as.Position.Pos {
		as.Position = at
	}
	as.Stale = as.Position.Pos < r.Min.Pos
	return page, as, err
}

// refused keeps what the engine says to the caller; anything else means that it does not answer.
func refused(err error) error {
	if domain.CodeOf(err) != domain.CodeInternal {
		return err
	}
	unavailable := domain.Errorf(domain.CodeUnavailable, "the search does not answer")
	return fmt.Errorf("ask the search engine: %w: %w", unavailable, err)
}

// hits returns the images from the gallery, in order. Where the gallery is behind the index it waits for a bounded
// time; what it still does not have, or has no more, is left out.
func (s *Service) hits(
	ctx context.Context, r Read, ids []domain.ImageID, indexed eventstore.Position,
) (images []Image, as As, err error) {
	plain := make([]string, len(ids))
	for i, id := range ids {
		plain[i] = string(id)
	}
	read := func(v projections.Snapshot) (err error) {
		images, err = readImages(ctx, v, sqlImagesByID, r.Account, plain)
		return err
	}
	gallery := []projections.Progress{s.views.gallery}
	as, err = s.read(ctx, r, gallery, read)
	if err == nil && len(images) < len(ids) && as.Position.Pos < indexed.Pos {
		if _, err := s.views.gallery.WaitFor(ctx, s.cfg.Pool, indexed, missingWaitMax); err != nil {
			return nil, as, err
		}
		as, err = s.read(ctx, r, gallery, read)
	}
	slices.SortFunc(images, func(a, b Image) int {
		return cmp.Compare(slices.Index(ids, a.ID), slices.Index(ids, b.ID))
	})
	return images, as, err
}
