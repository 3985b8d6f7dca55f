package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const sqlFilled = `SELECT c.shard, c.pos FROM projections.views v
	JOIN projections.checkpoints c USING (projection, version, build)
	WHERE v.projection = $1 AND v.version = $2 AND v.sink_id = $3`

// Filled returns up to which position of each shard the sink with this id is filled. It is empty for a sink that no
// copy of the view fills.
func Filled(ctx context.Context, pool *pgxpool.Pool, s Sink, id string) (map[int]int64, error) {
	positions := map[int]int64{}
	// Query reports its error through the rows.
	rows, _ := pool.Query(ctx, sqlFilled, s.Name(), s.Version(), id)
	var shard int
	var pos int64
	_, err := pgx.ForEachRow(rows, []any{&shard, &pos}, func() error {
		positions[shard] = pos
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read how far the sink of %s is filled: %w", s.Name(), err)
	}
	return positions, nil
}
