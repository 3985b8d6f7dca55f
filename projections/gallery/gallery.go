package gallery

import (
	"context"
	_ "embed" // for schema.sql
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain/account"
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
func (View) Version() int { return 3 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || strings.HasPrefix(eventType, "image.") ||
		strings.HasPrefix(eventType, "library.") ||
		eventType == account.CreditsSettled{}.EventName()
}

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	f := newFold(batch[0].Shard)
	for _, e := range batch {
		if err := f.add(e); err != nil {
			return err
		}
	}
	return f.write(ctx, tx)
}

// Fold returns tags as they are compared: in lower case.
func Fold(tags []string) []string {
	folded := make([]string, len(tags))
	for i, tag := range tags {
		folded[i] = strings.ToLower(tag)
	}
	return folded
}
