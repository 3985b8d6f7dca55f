package generations

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain/generation"
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
func (View) Name() string { return "generations" }

// Version implements projections.Projection.
func (View) Version() int { return 2 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// OperatorTables implements projections.Operated: the queue, of all accounts.
func (View) OperatorTables() []string { return []string{"jobs"} }

// Handles implements projections.Projection.
func (View) Handles(eventType string) bool {
	return strings.HasPrefix(eventType, "generation.") || strings.HasPrefix(eventType, "account.")
}

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	var w projections.Writes
	for _, e := range batch {
		var err error
		if strings.HasPrefix(e.Type, "account.") {
			err = applySettlement(&w, e)
		} else {
			err = applyJob(&w, e)
		}
		if err != nil {
			return err
		}
	}
	return w.Run(ctx, tx)
}

const (
	sqlRequest = `INSERT INTO jobs (shard, generation, account, status, version, pos, attempt, model, spec, pool, tier,
		estimate_ms, reservation, quote, price_book, policy, created_at, deadline)
		VALUES ($1, $2, $3, 'queued', $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	sqlClaim = `UPDATE jobs SET version = $2, pos = $3, status = 'running', worker = $4, lease_until = $5,
		started_at = $6, cause = '' WHERE generation = $1`
	sqlExtend  = `UPDATE jobs SET version = $2, pos = $3, lease_until = $4 WHERE generation = $1`
	sqlRequeue = `UPDATE jobs SET version = $2, pos = $3, status = 'queued', attempt = $4, cause = $5, worker = '',
		lease_until = NULL, started_at = NULL WHERE generation = $1`
	sqlComplete = `UPDATE jobs SET engine = $2, engine_version = $3, gpu_ms = $4, images = $5 WHERE generation = $1`
	sqlEnd      = `UPDATE jobs SET version = $2, pos = $3, status = $4, cause = $5, ended_at = $6, worker = '',
		lease_until = NULL WHERE generation = $1`
)

func applyJob(w *projections.Writes, e projections.Event) error {
	switch event := e.Event.(type) {
	case generation.Requested:
		spec := event.Spec
		spec.Prompt, spec.NegativePrompt = projections.Text(spec.Prompt), projections.Text(spec.NegativePrompt)
		w.AddOne(sqlRequest, e.Shard, event.Generation, event.Account, e.Version, e.Pos, spec.Model, spec, event.Pool,
			event.Tier, event.EstimateMillis, event.Reservation, event.Quote, event.PriceBook, event.Policy, event.At,
			event.Deadline)
	case generation.Claimed:
		w.AddOne(sqlClaim, event.Generation, e.Version, e.Pos, projections.Text(event.Worker), event.LeaseUntil, event.At)
	case generation.LeaseExtended:
		w.AddOne(sqlExtend, event.Generation, e.Version, e.Pos, event.LeaseUntil)
	case generation.Requeued:
		w.AddOne(sqlRequeue, event.Generation, e.Version, e.Pos, event.Attempt, projections.Text(event.Cause))
	case generation.Completed:
		w.AddOne(sqlComplete, event.Generation, projections.Text(event.Engine), projections.Text(event.EngineVersion),
			event.GPUMillis, len(event.Images))
		w.AddOne(sqlEnd, event.Generation, e.Version, e.Pos, generation.StatusSucceeded, "", event.At)
	case generation.Failed:
		status := generation.StatusFailed
		if event.Blocked {
			status = generation.StatusBlocked
		}
		w.AddOne(sqlEnd, event.Generation, e.Version, e.Pos, status, projections.Text(event.Cause), event.At)
	case generation.Cancelled:
		w.AddOne(sqlEnd, event.Generation, e.Version, e.Pos, generation.StatusCancelled, "", event.At)
	case generation.Expired:
		w.AddOne(sqlEnd, event.Generation, e.Version, e.Pos, generation.StatusExpired, "", event.At)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	return nil
}
