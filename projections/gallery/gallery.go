package gallery

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/projections"
)

//go:embed schema.sql
var ddl string

// View is the projection.
type View struct{}

var _ projections.Projection = View{}

// New returns the projection.
func New() View { return View{} }

// Name implements projections.Projection.
func (View) Name() string { return "gallery" }

// Version implements projections.Projection.
func (View) Version() int { return 2 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || strings.HasPrefix(eventType, "image.") ||
		eventType == account.CreditsSettled{}.EventName()
}

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	var w projections.Writes
	for _, e := range batch {
		if err := apply(&w, e); err != nil {
			return err
		}
	}
	return w.Run(ctx, tx)
}

const (
	sqlRequest = `INSERT INTO requests (shard, generation, account, spec, tags, folded_tags)
		VALUES ($1, $2, $3, $4, $5, $6)`
	sqlForget = `DELETE FROM requests WHERE generation = $1`
	// The request of a generation that ended without pictures is gone.
	sqlSettle   = `UPDATE requests SET settled = coalesce(settled, 0) + $2 WHERE generation = $1`
	sqlComplete = `UPDATE requests SET engine = $2, engine_version = $3, images = $4 WHERE generation = $1`
	sqlTag      = `UPDATE images SET version = $2, tags = $3, folded_tags = $4 WHERE image = $1`
	sqlMark     = `UPDATE images SET version = $2, favourite = $3 WHERE image = $1`
	sqlDelete   = `DELETE FROM images WHERE image = $1`
	sqlImage    = `INSERT INTO images (shard, image, account, generation, n, model, key, thumbnail_key, content_type,
		bytes, sha256, width, height, seed, tags, folded_tags, created_at)
		SELECT shard, $2, account, generation, $3, spec ->> 'model', $4, $5, $6, $7, $8, $9, $10, $11,
			tags, folded_tags, $12 FROM requests WHERE generation = $1`
)

func apply(w *projections.Writes, e projections.Event) error {
	switch event := e.Event.(type) {
	case generation.Requested:
		spec := event.Spec
		spec.Prompt, spec.NegativePrompt = projections.Text(spec.Prompt), projections.Text(spec.NegativePrompt)
		w.AddOne(sqlRequest, e.Shard, event.Generation, event.Account, spec,
			append([]string{}, spec.Tags...), Fold(spec.Tags))
	case generation.Completed:
		w.AddOne(sqlComplete, event.Generation, projections.Text(event.Engine), projections.Text(event.EngineVersion),
			len(event.Images))
		for n, i := range event.Images {
			w.AddOne(sqlImage, event.Generation, i.Image, n, i.Key, i.ThumbnailKey, i.ContentType, i.Bytes, i.SHA256,
				i.Width, i.Height, i.Seed, event.At)
		}
	case generation.Failed:
		forget(w, event.Generation)
	case generation.Cancelled:
		forget(w, event.Generation)
	case generation.Expired:
		forget(w, event.Generation)
	case generation.Claimed, generation.LeaseExtended, generation.Requeued:
	case account.CreditsSettled:
		w.Add(sqlSettle, event.Generation, account.Total(event.Charged))
	case image.Tagged:
		w.AddOne(sqlTag, event.Image, e.Version, append([]string{}, event.Tags...), Fold(event.Tags))
	case image.Favourited:
		w.AddOne(sqlMark, event.Image, e.Version, event.Favourite)
	case image.Deleted:
		w.AddOne(sqlDelete, event.Image)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	return nil
}

func forget(w *projections.Writes, id domain.GenerationID) { w.AddOne(sqlForget, id) }

// Fold returns tags as they are compared: in lower case.
func Fold(tags []string) []string {
	folded := make([]string, len(tags))
	for i, tag := range tags {
		folded[i] = strings.ToLower(tag)
	}
	return folded
}
