package search

import (
	"context"
	_ "embed" // for schema.sql
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/projections"
)

//go:embed schema.sql
var ddl string

// View is the projection.
type View struct {
	engine Engine // nil in a view of rows only
}

var _ projections.Swappable = View{}

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

// Beside implements projections.Swappable.
func (v View) Beside(ctx context.Context, _ int) (projections.Swappable, error) {
	engine, err := v.engine.Beside(ctx)
	return View{engine: engine}, err
}

// Swap implements projections.Swappable.
func (v View) Swap(ctx context.Context) error {
	id, err := v.engine.ID(ctx)
	if err != nil {
		return err
	}
	return v.engine.Swap(ctx, id)
}

// Discard implements projections.Swappable.
func (v View) Discard(ctx context.Context) error { return v.engine.Discard(ctx) }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || strings.HasPrefix(eventType, "image.")
}

// Apply implements projections.Projection.
func (v View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	f, err := fold(ctx, tx, batch)
	if err != nil {
		return err
	}
	if docs := f.indexed(); len(docs) > 0 {
		if err := v.engine.Index(ctx, docs); err != nil {
			return failure("write to the search index", err)
		}
	}
	if len(f.removed) == 0 {
		return nil
	}
	return failure("delete from the search index", v.engine.Delete(ctx, f.removed))
}

// failure tells what another try may mend from what is the event's fault.
func failure(what string, err error) error {
	var rejected *RejectedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &rejected):
		return fmt.Errorf("%s: %w", what, err)
	}
	return &projections.TransientError{Err: fmt.Errorf("%s: %w", what, err)}
}

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
	_, err := fold(ctx, tx, batch)
	return err
}
