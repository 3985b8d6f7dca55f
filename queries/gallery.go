package queries

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/projections"
)

// Image is one delivered picture.
type Image struct {
	ID            domain.ImageID
	Generation    domain.GenerationID
	Spec          generation.Spec // of the generation; Spec.Tags are those of the request
	Engine        string
	EngineVersion string
	Key           string // object in the picture store
	ThumbnailKey  string // object in the picture store
	ContentType   string
	Bytes         int64
	SHA256        string // hex, of the original
	Width         int
	Height        int
	Seed          uint32
	// Credits is this image's share of what its generation was charged; nil until that is known.
	Credits   *domain.Credits
	Tags      []string
	Favourite bool
	// Version is that of the image's stream: 0 until its owner first tags, marks or deletes it.
	Version   int64
	CreatedAt time.Time
}

// ImagesQuery asks for images. Zero fields do not filter.
type ImagesQuery struct {
	Page
	Favourite  *bool
	Tag        string // letter case is set aside
	Model      string
	Generation domain.GenerationID
}

// ImagePage is a page of images, newest first.
type ImagePage struct {
	Images []Image
	Next   string // empty on the last page
}

// Image returns one image of the account, or CodeNotFound, also for a deleted one.
func (s *Service) Image(ctx context.Context, r Read, id domain.ImageID) (Image, As, error) {
	var image Image
	as, err := s.one(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) error {
		var list []Image
		if id.Check() == nil {
			var err error
			if list, err = readImages(ctx, v, sqlImagesByID, r.Account, []string{string(id)}); err != nil {
				return err
			}
		}
		if len(list) == 0 {
			return domain.Errorf(domain.CodeNotFound, "there is no such image")
		}
		image = list[0]
		return nil
	})
	return image, as, err
}

// Images returns the account's images, newest first.
func (s *Service) Images(ctx context.Context, r Read, q ImagesQuery) (ImagePage, As, error) {
	limit, err := q.size()
	if err != nil {
		return ImagePage{}, As{}, err
	}
	tag, model := strings.ToLower(projections.Text(q.Tag)), projections.Text(q.Model)
	filter := []any{"images", r.Account, q.Favourite, tag, model, q.Generation}
	before, last := endOfTime, domain.ImageID("")
	if q.Cursor != "" {
		if err := s.openCursor(q.Cursor, filter, &before, &last); err != nil {
			return ImagePage{}, As{}, err
		}
	}
	var page ImagePage
	read := s.list
	if q.Generation != "" { // has few
		read = s.read
	}
	as, err := read(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) (err error) {
		sql, args := sqlImages, []any{q.Favourite, tag, model, before, last, limit + 1}
		if q.Generation != "" {
			sql, args = sqlImagesOf, append(args, projections.Text(string(q.Generation)))
		}
		page.Images, err = readImages(ctx, v, sql, r.Account, args...)
		return err
	})
	if len(page.Images) > limit {
		page.Images = page.Images[:limit]
		page.Next = s.sealCursor(filter, page.Images[limit-1].CreatedAt, page.Images[limit-1].ID)
	}
	return page, as, err
}

// The first image bears what the charge leaves over when it is shared out.
const (
	sqlImageColumns = `SELECT i.image, i.generation, g.spec, g.engine, g.engine_version, i.key, i.thumbnail_key,
		i.content_type, i.bytes, i.sha256, i.width, i.height, i.seed,
		g.settled / g.images + CASE WHEN i.n = 0 THEN g.settled % g.images ELSE 0 END,
		i.tags, i.favourite, i.version, i.created_at
		FROM images i JOIN requests g USING (generation)
		WHERE i.account = $1`
	sqlImagesByID          = sqlImageColumns + ` AND i.image = ANY($2)`
	sqlImagesOfGenerations = sqlImageColumns + ` AND i.generation = ANY($2) ORDER BY i.n`
	sqlImagesPage          = sqlImageColumns + ` AND ($2::boolean IS NULL OR i.favourite = $2)
		AND ($3 = '' OR $3 = ANY(i.folded_tags)) AND ($4 = '' OR i.model = $4) AND (i.created_at, i.image) < ($5, $6)`
	sqlImages   = sqlImagesPage + ` ORDER BY i.created_at DESC, i.image DESC LIMIT $7`
	sqlImagesOf = sqlImagesPage + ` AND i.generation = $8 ORDER BY i.created_at DESC, i.image DESC LIMIT $7`
)

func readImages(ctx context.Context, v projections.Snapshot, sql string, id domain.AccountID, args ...any) ([]Image, error) {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sql, append([]any{id}, args...)...)
	images, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Image])
	if err != nil {
		return nil, fmt.Errorf("read images: %w", err)
	}
	for i := range images {
		images[i].CreatedAt = images[i].CreatedAt.UTC()
	}
	return images, nil
}
