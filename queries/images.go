package queries

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/gallery"
)

// ImageCountMax is how far images are counted.
const ImageCountMax = 100_000

// ImageCount is how many images go through a filter.
type ImageCount struct {
	Images int64
	// More says that there are more than ImageCountMax.
	More bool
}

// Images returns the account's images that go through the filter. CodeNotFound for a board that the account does not
// have.
func (s *Service) Images(ctx context.Context, r Read, q ImagesQuery) (ImagePage, As, error) {
	limit, err := q.size()
	if err != nil {
		return ImagePage{}, As{}, err
	}
	sel := q.selection(r.Account)
	filter := append([]any{"images", q.ByRating}, sel.args...)
	before, last, stars := endOfTime, domain.ImageID(""), math.MaxInt16
	if q.Cursor != "" {
		if err := s.openCursor(q.Cursor, filter, &before, &last, &stars); err != nil {
			return ImagePage{}, As{}, err
		}
	}
	sql := sqlImageColumns + sel.where + sel.newest
	args := append(sel.args[1:len(sel.args):len(sel.args)], before, last, limit+1)
	if q.ByRating {
		sql, args = sqlImageColumns+sel.where+sqlBestFirst, append(args, stars)
	}
	var page ImagePage
	as, err := s.selected(ctx, r, q.ImageFilter, func(v projections.Snapshot) (_ int, err error) {
		page.Images, err = readImages(ctx, v, sql, r.Account, args...)
		return len(page.Images), err
	})
	if len(page.Images) > limit {
		page.Images = page.Images[:limit]
		end := page.Images[limit-1]
		page.Next = s.sealCursor(filter, end.CreatedAt, end.ID, end.Rating)
	}
	return page, as, err
}

// CountImages counts the account's images that go through the filter, up to ImageCountMax. CodeNotFound for a board
// that the account does not have.
func (s *Service) CountImages(ctx context.Context, r Read, f ImageFilter) (ImageCount, As, error) {
	sel := f.selection(r.Account)
	var count ImageCount
	as, err := s.selected(ctx, r, f, func(v projections.Snapshot) (int, error) {
		sql := sqlCountBegin + sel.where + sqlCountEnd
		if err := v.QueryRow(ctx, sql, append(sel.args, ImageCountMax+1)...).Scan(&count.Images); err != nil {
			return 0, fmt.Errorf("count images: %w", err)
		}
		return int(count.Images), nil
	})
	if count.Images > ImageCountMax {
		count = ImageCount{Images: ImageCountMax, More: true}
	}
	return count, as, err
}

// selected asks the gallery. A board that shows nothing may be none: then it says CodeNotFound.
func (s *Service) selected(
	ctx context.Context, r Read, f ImageFilter, ask func(projections.Snapshot) (int, error),
) (As, error) {
	of := []projections.Progress{s.views.gallery}
	read := s.list
	if f.Generation != "" { // has few
		read = s.read
	}
	do := func() (As, error) {
		return read(ctx, r, of, func(v projections.Snapshot) error {
			n, err := ask(v)
			if err != nil || n > 0 || f.Board == "" || f.Board == image.Unfiled {
				return err
			}
			return boardExists(ctx, v, r.Account, f.Board)
		})
	}
	if f.Board == "" || f.Board == image.Unfiled {
		return do()
	}
	return s.insist(ctx, of, do)
}

// selection is a filter in SQL.
type selection struct {
	where, newest string
	args          []any // the account first
}

// Statements of a selection take the same arguments, whether they use all of them or not, and differ in the index that
// is theirs.
const (
	sqlThrough = ` WHERE i.account = $1 AND ($2::boolean IS NULL OR i.favourite = $2) AND i.folded_tags @> $3::text[]
		AND ($4 = '' OR i.model = $4) AND i.rating BETWEEN $5 AND $6 AND i.created_at >= $7 AND i.created_at < $8`
	sqlAny          = sqlThrough + ` AND $9 = '' AND $10 = ''`
	sqlUnfiled      = sqlThrough + ` AND $9 = '' AND $10 <> '' AND i.boards = '{}'`
	sqlOnBoard      = ` JOIN filings f ON f.image = i.image AND f.board = $10` + sqlThrough + ` AND $9 = ''`
	sqlOfGeneration = sqlThrough + ` AND i.generation = $9
		AND ($10 = '' OR $10 = ANY(i.boards) OR $10 = 'none' AND i.boards = '{}')`

	sqlNewestFirst = ` AND (i.created_at, i.image) < ($11, $12)
		ORDER BY i.created_at DESC, i.image DESC LIMIT $13`
	sqlNewestOnBoard = ` AND (f.created_at, f.image) < ($11, $12)
		ORDER BY f.created_at DESC, f.image DESC LIMIT $13`
	sqlBestFirst = ` AND (i.rating, i.created_at, i.image) < ($14, $11, $12)
		ORDER BY i.rating DESC, i.created_at DESC, i.image DESC LIMIT $13`

	sqlCountBegin = `SELECT count(*) FROM (SELECT FROM images i`
	sqlCountEnd   = ` LIMIT $11) AS found`
)

func (f ImageFilter) selection(account domain.AccountID) selection {
	sel := selection{where: sqlAny, newest: sqlNewestFirst}
	switch {
	case f.Generation != "":
		sel.where = sqlOfGeneration
	case f.Board == image.Unfiled:
		sel.where = sqlUnfiled
	case f.Board != "":
		sel.where, sel.newest = sqlOnBoard, sqlNewestOnBoard
	}
	tags := make([]string, len(f.Tags))
	for i, tag := range f.Tags {
		tags[i] = projections.Text(tag)
	}
	most := image.RatingMax
	if f.RatingMax != nil {
		most = *f.RatingMax
	}
	to := f.To
	if to.IsZero() {
		to = endOfTime
	}
	sel.args = []any{
		account, f.Favourite, gallery.Fold(tags), projections.Text(f.Model), f.RatingMin, most, orBegin(f.From), to.UTC(),
		projections.Text(string(f.Generation)), projections.Text(string(f.Board)),
	}
	return sel
}

// orBegin returns the time in UTC, within what Postgres can hold.
func orBegin(t time.Time) time.Time {
	if begin := time.Unix(0, 0); t.Before(begin) {
		return begin.UTC()
	}
	return t.UTC()
}
