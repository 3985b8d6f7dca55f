package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Status is what an operator should know of a view.
type Status struct {
	Projection string       `json:"view"`
	Copies     []CopyStatus `json:"copies"` // newest version and build first
}

// CopyStatus is one copy of a view.
type CopyStatus struct {
	Copy
	State State `json:"state"`
	// Positions are how far each shard is, by shard.
	Positions []int64 `json:"positions"`
	// Stopped counts the shards that stand still before an event, StoppedSince is when the first did.
	Stopped      int        `json:"stopped_shards"`
	StoppedSince *time.Time `json:"stopped_since,omitempty"`
	Failure      string     `json:"failure,omitempty"` // of the shard that stopped first
	Dead         int64      `json:"dead_letters"`
	StartedAt    time.Time  `json:"started_at"`
	LiveAt       *time.Time `json:"live_at,omitempty"`
}

const sqlStatus = `SELECT v.projection, v.version, v.build, v.state,
		array(SELECT c.pos FROM projections.checkpoints c WHERE (c.projection, c.version, c.build)
			= (v.projection, v.version, v.build) ORDER BY c.shard),
		coalesce(s.stopped, 0), s.since, coalesce(s.failure, ''),
		(SELECT count(*) FROM projections.dead_letters d WHERE (d.projection, d.version, d.build)
			= (v.projection, v.version, v.build)),
		v.started_at, v.live_at
	FROM projections.views v LEFT JOIN LATERAL (
		SELECT count(*) AS stopped, min(stopped_since) AS since, (array_agg(failure ORDER BY stopped_since))[1] AS failure
		FROM projections.checkpoints c WHERE (c.projection, c.version, c.build) = (v.projection, v.version, v.build)
			AND stopped_since IS NOT NULL) s ON true
	WHERE v.projection = $1 ORDER BY v.version DESC, v.build DESC`

// StatusOf returns what is known of all copies of a view, of older versions and new builds, too.
func StatusOf(ctx context.Context, pool *pgxpool.Pool, p Projection) (Status, error) {
	status := Status{Projection: p.Name()}
	// Query reports its error through the rows.
	rows, _ := pool.Query(ctx, sqlStatus, p.Name())
	var err error
	status.Copies, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (CopyStatus, error) {
		var c CopyStatus
		err := row.Scan(&c.Projection, &c.Version, &c.Build, &c.State, &c.Positions, &c.Stopped, &c.StoppedSince,
			&c.Failure, &c.Dead, &c.StartedAt, &c.LiveAt)
		return c, err
	})
	if err != nil {
		return status, fmt.Errorf("read the state of the view %s: %w", p.Name(), migrateFirst(err))
	}
	return status, nil
}
