package usage

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
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
func (View) Name() string { return "usage" }

// Version implements projections.Projection.
func (View) Version() int { return 3 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || eventType == account.CreditsSettled{}.EventName()
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
	sqlOrigin = `INSERT INTO origins (shard, generation, account, model, tier, key) VALUES ($1, $2, $3, $4, $5, $6)`
	sqlCount  = `INSERT INTO days AS d
		(shard, account, day, model, tier, key, generations, succeeded, images, credits, gpu_ms)
		SELECT shard, account, $2::date, model, tier, key, $3, $4, $5, $6, $7 FROM origins WHERE generation = $1
		ON CONFLICT (account, day, model, tier, key) DO UPDATE SET
			generations = d.generations + excluded.generations, succeeded = d.succeeded + excluded.succeeded,
			images = d.images + excluded.images, credits = d.credits + excluded.credits,
			gpu_ms = d.gpu_ms + excluded.gpu_ms`
)

// use is what one event adds to a day.
type use struct {
	generation                     domain.GenerationID
	at                             time.Time
	ended, succeeded, images, gpus int64
	credits                        domain.Credits
}

func apply(w *projections.Writes, e projections.Event) error {
	var u use
	switch event := e.Event.(type) {
	case generation.Requested:
		w.AddOne(sqlOrigin, e.Shard, event.Generation, event.Account, event.Spec.Model, event.Tier,
			event.Key)
		return nil
	case generation.Claimed, generation.LeaseExtended, generation.Requeued:
		return nil
	case generation.Completed:
		u = use{generation: event.Generation, at: event.At, ended: 1, succeeded: 1,
			images: int64(len(event.Images)), gpus: event.GPUMillis}
	case generation.Failed:
		u = use{generation: event.Generation, at: event.At, ended: 1}
	case generation.Cancelled:
		u = use{generation: event.Generation, at: event.At, ended: 1}
	case generation.Expired:
		u = use{generation: event.Generation, at: event.At, ended: 1}
	case account.CreditsSettled:
		u = use{generation: event.Generation, at: event.At, credits: account.Total(event.Charged)}
		if u.credits == 0 || u.generation == "" { // work that is done elsewhere is no use of ours
			return nil
		}
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	day := u.at.UTC().Truncate(24 * time.Hour)
	w.AddOne(sqlCount, u.generation, day, u.ended, u.succeeded, u.images, u.credits, u.gpus)
	return nil
}
