package search

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/projections"
)

//go:embed schema.sql
var ddl string

// View is the projection.
type View struct {
	engine Engine // nil in a view of rows only
}

var _ projections.Sink = View{}

// New returns the projection into an engine.
func New(engine Engine) View { return View{engine: engine} }

// Name implements projections.Projection.
func (View) Name() string { return "search" }

// Version implements projections.Projection.
func (View) Version() int { return 1 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Rows implements projections.Sink.
func (View) Rows() projections.Projection { return rows{} }

// SinkID implements projections.Sink.
func (v View) SinkID(ctx context.Context) (string, error) { return v.engine.ID(ctx) }

// Clear implements projections.Sink.
func (v View) Clear(ctx context.Context) error { return v.engine.Clear(ctx) }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || strings.HasPrefix(eventType, "image.")
}

// Apply implements projections.Projection.
func (v View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	changed, removed, err := apply(ctx, tx, batch)
	if err != nil {
		return err
	}
	if err := v.index(ctx, tx, changed); err != nil {
		return err
	}
	if len(removed) == 0 {
		return nil
	}
	if err := v.engine.Delete(ctx, removed); err != nil {
		return &projections.TransientError{Err: fmt.Errorf("delete from the search index: %w", err)}
	}
	return nil
}

const sqlDocuments = `SELECT image, account, prompt, negative, tags, model, width, height, seed, created_at, favourite,
	version FROM documents WHERE image = ANY($1)`

func (v View) index(ctx context.Context, tx pgx.Tx, changed []string) error {
	if len(changed) == 0 {
		return nil
	}
	// Query reports its error through the rows.
	found, _ := tx.Query(ctx, sqlDocuments, changed)
	docs, err := pgx.CollectRows(found, pgx.RowToStructByPos[Document])
	if err != nil {
		return fmt.Errorf("read the documents: %w", err)
	}
	if err := v.engine.Index(ctx, docs); err != nil {
		return &projections.TransientError{Err: fmt.Errorf("write to the search index: %w", err)}
	}
	return nil
}

const (
	sqlDraft = `INSERT INTO drafts (shard, generation, account, prompt, negative, tags, model)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	sqlForget   = `DELETE FROM drafts WHERE generation = $1`
	sqlDocument = `INSERT INTO documents
		(shard, image, account, prompt, negative, tags, model, width, height, seed, created_at, version)
		SELECT shard, $2, account, prompt, negative, tags, model, $3, $4, $5, $6, $7 FROM drafts WHERE generation = $1`
	sqlTag    = `UPDATE documents SET tags = $2, version = $3 WHERE image = $1`
	sqlMark   = `UPDATE documents SET favourite = $2, version = $3 WHERE image = $1`
	sqlDelete = `DELETE FROM documents WHERE image = $1`
)

// apply changes the rows and returns which images were changed and not removed, and which were removed.
func apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) ([]string, []Removal, error) {
	var w projections.Writes
	var changed []string
	var removed []Removal
	for _, e := range batch {
		switch event := e.Event.(type) {
		case generation.Requested:
			spec := event.Spec
			w.AddOne(sqlDraft, e.Shard, event.Generation, event.Account, projections.Text(spec.Prompt),
				projections.Text(spec.NegativePrompt), append([]string{}, spec.Tags...), spec.Model)
		case generation.Completed:
			for _, i := range event.Images {
				w.AddOne(sqlDocument, event.Generation, i.Image, i.Width, i.Height, i.Seed, event.At, e.Pos)
				changed = append(changed, string(i.Image))
			}
			w.AddOne(sqlForget, event.Generation)
		case generation.Failed:
			forget(&w, event.Generation)
		case generation.Cancelled:
			forget(&w, event.Generation)
		case generation.Expired:
			forget(&w, event.Generation)
		case generation.Claimed, generation.LeaseExtended, generation.Requeued, image.Rated, image.Filed:
		case image.Tagged:
			w.AddOne(sqlTag, event.Image, append([]string{}, event.Tags...), e.Pos)
			changed = append(changed, string(event.Image))
		case image.Favourited:
			w.AddOne(sqlMark, event.Image, event.Favourite, e.Pos)
			changed = append(changed, string(event.Image))
		case image.Deleted:
			w.AddOne(sqlDelete, event.Image)
			removed = append(removed, Removal{Image: event.Image, Version: e.Pos})
		default:
			return nil, nil, fmt.Errorf("the view does not know %T", event)
		}
	}
	return changed, removed, w.Run(ctx, tx)
}

func forget(w *projections.Writes, id domain.GenerationID) { w.AddOne(sqlForget, id) }

// rows is the view without an engine.
type rows struct{ view View }

// Name implements projections.Projection.
func (r rows) Name() string { return r.view.Name() }

// Version implements projections.Projection.
func (r rows) Version() int { return r.view.Version() }

// Schema implements projections.Projection.
func (r rows) Schema() string { return r.view.Schema() }

// Handles implements projections.Projection.
func (r rows) Handles(eventType string) bool { return r.view.Handles(eventType) }

// Apply implements projections.Projection.
func (rows) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	_, _, err := apply(ctx, tx, batch)
	return err
}
