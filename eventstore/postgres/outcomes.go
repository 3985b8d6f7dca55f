package postgres

import (
	"context"

	"github.com/pingvas/pingvas/eventstore"
)

// Each key is looked for in the index by itself, whatever the planner thinks of the tables.
const outcomesSQL = `SELECT k.n, e.request_hash, e.outcome, e.shard, e.pos
FROM unnest($1::uuid[]) WITH ORDINALITY AS k (key_id, n), LATERAL (
	SELECT request_hash, outcome, shard, pos FROM ledger.events WHERE key_id = k.key_id
	UNION ALL SELECT request_hash, body, shard, 0 FROM ledger.outcomes WHERE key_id = k.key_id) AS e`

// Outcomes implements eventstore.Store in one round trip.
func (s *Store) Outcomes(
	ctx context.Context, keys []eventstore.OutcomeKey,
) (map[eventstore.OutcomeKey]eventstore.Outcome, error) {
	if err := eventstore.CheckKeys(keys); err != nil {
		return nil, err
	}
	ids := make([]id, len(keys))
	for i, k := range keys {
		ids[i] = keyID(k.Account, k.Key)
	}
	rows, err := s.pool.Query(ctx, outcomesSQL, ids)
	if err != nil {
		return nil, failed(ctx, "read outcomes", err)
	}
	defer rows.Close()
	out := map[eventstore.OutcomeKey]eventstore.Outcome{}
	for rows.Next() {
		var n int
		var hash []byte
		var o eventstore.Outcome
		if err := rows.Scan(&n, &hash, &o.Body, &o.Position.Shard, &o.Position.Pos); err != nil {
			return nil, failed(ctx, "read outcomes", err)
		}
		if o.Position.Pos == 0 {
			o.Position = eventstore.Position{}
		}
		o.Key, o.RequestHash = keys[n-1].Key, eventstore.Hash(hash)
		out[keys[n-1]] = o
	}
	if err := rows.Err(); err != nil {
		return nil, failed(ctx, "read outcomes", err)
	}
	return out, nil
}
