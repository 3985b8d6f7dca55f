package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/projections"
)

const (
	sqlGenerationColumns = `SELECT j.generation, j.status, j.version, j.shard, greatest(j.pos, s.pos), j.cause,
		j.attempt, j.worker, j.spec, j.pool, j.tier, j.estimate_ms, j.engine, j.engine_version, j.gpu_ms, j.created_at,
		j.started_at, j.ended_at, j.deadline, j.reservation, j.quote, j.policy, j.price_book, coalesce(s.quoted, 0),
		coalesce(s.reserved, 0), coalesce(s.settled, 0), coalesce(s.released, 0), coalesce(s.waived, 0)
		FROM jobs j LEFT JOIN settlements s USING (generation)`
	sqlGeneration  = sqlGenerationColumns + ` WHERE j.account = $1 AND j.generation = $2`
	sqlGenerations = sqlGenerationColumns + ` WHERE j.account = $1 AND ($2 = '' OR j.status = $2)
		AND (NOT $3 OR j.ended_at IS NULL) AND (j.created_at, j.generation) < ($4, $5)
		ORDER BY j.created_at DESC, j.generation DESC LIMIT $6`
	sqlPostings = `SELECT generation, shard, pos, event, book, grant_id, amount, at
		FROM postings WHERE account = $1 AND generation = ANY($2) ORDER BY pos, n`
	sqlQueuePlaces = `SELECT mine.generation, count(other.generation), coalesce(sum(other.estimate_ms), 0)::bigint
		FROM jobs mine LEFT JOIN jobs other
			ON other.status = 'queued' AND other.pool = mine.pool AND other.tier = mine.tier
			AND (other.created_at, other.generation) < (mine.created_at, mine.generation)
		WHERE mine.account = $1 AND mine.generation = ANY($2) AND mine.status = 'queued' GROUP BY mine.generation`
)

// readGenerations returns generations with postings and queue place, without images.
func readGenerations(
	ctx context.Context, v projections.Snapshot, sql string, id domain.AccountID, args ...any,
) ([]Generation, error) {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sql, append([]any{id}, args...)...)
	list, err := pgx.CollectRows(rows, scanGeneration)
	if err != nil {
		return nil, fmt.Errorf("read generations: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	at := make(map[domain.GenerationID]*Generation, len(list))
	var all, queued []string
	for i := range list {
		at[list[i].ID] = &list[i]
		all = append(all, string(list[i].ID))
		if list[i].Status == generation.StatusQueued {
			queued = append(queued, string(list[i].ID))
		}
	}
	if err := addPostings(ctx, v, at, id, all); err != nil {
		return nil, err
	}
	return list, addQueuePlaces(ctx, v, at, id, queued)
}

func scanGeneration(row pgx.CollectableRow) (Generation, error) {
	var g Generation
	var started, ended *time.Time
	s := &g.Settlement
	err := row.Scan(&g.ID, &g.Status, &g.Version, &g.Changed.Shard, &g.Changed.Pos, &g.Cause,
		&g.Attempt, &g.Worker, &g.Spec, &g.Pool, &g.Tier, &g.EstimateMS, &g.Engine, &g.EngineVersion, &g.GPUMS,
		&g.CreatedAt, &started, &ended, &g.Deadline, &s.Reservation, &s.Quote, &s.Policy, &s.PriceBook, &s.Quoted,
		&s.Reserved, &s.Settled, &s.Released, &s.Waived)
	g.CreatedAt, g.Deadline = g.CreatedAt.UTC(), g.Deadline.UTC()
	g.StartedAt, g.EndedAt = orZero(started), orZero(ended)
	return g, err
}

func addPostings(
	ctx context.Context, v projections.Snapshot, at map[domain.GenerationID]*Generation, id domain.AccountID, ids []string,
) error {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sqlPostings, id, ids)
	var of domain.GenerationID
	var p Posting
	scan := []any{&of, &p.Position.Shard, &p.Position.Pos, &p.Event, &p.Book, &p.Grant, &p.Amount, &p.At}
	_, err := pgx.ForEachRow(rows, scan, func() error {
		p.At = p.At.UTC()
		at[of].Settlement.Postings = append(at[of].Settlement.Postings, p)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read postings: %w", err)
	}
	return nil
}

func addQueuePlaces(
	ctx context.Context, v projections.Snapshot, at map[domain.GenerationID]*Generation, id domain.AccountID, queued []string,
) error {
	if len(queued) == 0 {
		return nil
	}
	err := v.System(ctx, func() error {
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sqlQueuePlaces, id, queued)
		var of domain.GenerationID
		var place QueuePlace
		_, err := pgx.ForEachRow(rows, []any{&of, &place.Ahead, &place.AheadMS}, func() error {
			at[of].Queue = &QueuePlace{Ahead: place.Ahead, AheadMS: place.AheadMS, Retrying: at[of].Attempt > 1}
			return nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("read queue places: %w", err)
	}
	return nil
}
