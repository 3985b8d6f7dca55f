package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// One statement, so that id and positions are of the same time: a view that is started over changes both at once.
const sqlFilled = `SELECT v.sink_id, c.shard, c.pos FROM projections.views v
	JOIN projections.checkpoints c USING (projection, version) WHERE v.projection = $1 AND v.version = $2`

// Filled returns the id of the sink that a view fills, and up to which position of each shard. The id is empty for a
// view that was not set up.
func Filled(ctx context.Context, pool *pgxpool.Pool, s Sink) (id string, positions map[int]int64, err error) {
	positions = map[int]int64{}
	// Query reports its error through the rows.
	rows, _ := pool.Query(ctx, sqlFilled, s.Name(), s.Version())
	var shard int
	var pos int64
	_, err = pgx.ForEachRow(rows, []any{&id, &shard, &pos}, func() error {
		positions[shard] = pos
		return nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("read how far the sink of %s is filled: %w", s.Name(), err)
	}
	return id, positions, nil
}
