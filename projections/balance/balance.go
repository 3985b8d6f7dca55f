package balance

import (
	"context"
	_ "embed" // for schema.sql
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/projections"
)

//go:embed schema.sql
var ddl string

// View is the projection.
type View struct{}

var _ projections.Operated = View{}

// New returns the projection.
func New() View { return View{} }

// Name implements projections.Projection.
func (View) Name() string { return "balance" }

// Version implements projections.Projection.
func (View) Version() int { return 2 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// OperatorTables implements projections.Operated: what runs out by time is made visible, whoever has it.
func (View) OperatorTables() []string { return []string{"grants", "reservations"} }

// Handles implements projections.Projection: all events of accounts, so that an unknown one is noticed.
func (View) Handles(eventType string) bool { return strings.HasPrefix(eventType, "account.") }

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
