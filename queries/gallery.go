package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
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
	Rating    int              // 0 is none
	Boards    []domain.BoardID // that it is on
	// Version is that of the image's stream: 0 until its owner first tags, marks or deletes it.
	Version   int64
	CreatedAt time.Time
}

// ImagesQuery asks for images. Zero fields do not filter.
type ImagesQuery struct {
	Page
	ImageFilter
	// ByRating puts the best first, and the newest first among those with as many stars.
	ByRating bool
}

// ImageFilter says which images are meant. Zero fields do not filter.
type ImageFilter struct {
	image.Filter
	Model      string
	Generation domain.GenerationID
	From       time.Time // made at or after
	To         time.Time // made before
}

// ImagePage is a page of images.
type ImagePage struct {
	Images []Image
	Next   string // empty on the last page
}

// Image returns one image of the account, or CodeNotFound, also for a deleted one.
func (s *Service) Image(ctx context.Context, r Read, id domain.ImageID) (Image, As, error) {
	var found Image
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
		found = list[0]
		return nil
	})
	return found, as, err
}

// The first image bears what the charge leaves over when it is shared out.
const (
	sqlImageColumns = `SELECT i.image, i.generation, g.spec, g.engine, g.engine_version, i.key, i.thumbnail_key,
		i.content_type, i.bytes, i.sha256, i.width, i.height, i.seed,
		g.settled / g.images + CASE WHEN i.n = 0 THEN g.settled % g.images ELSE 0 END,
		i.tags, i.favourite, i.rating, i.boards, i.version, i.created_at
		FROM images i JOIN requests g USING (generation)`
	sqlImagesByID          = sqlImageColumns + ` WHERE i.account = $1 AND i.image = ANY($2)`
	sqlImagesOfGenerations = sqlImageColumns + ` WHERE i.account = $1 AND i.generation = ANY($2) ORDER BY i.n`
)

func readImages(
	ctx context.Context, v projections.Snapshot, sql string, id domain.AccountID, args ...any,
) ([]Image, error) {
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
