package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

// Each key is looked for by itself. Where no outcome is written down its events tell it: their LIMIT keeps the planner,
// which expects a ninth of a shard between two positions, from reading the shard.
const outcomesSQL = `SELECT k.n, o.request_hash, o.outcome, o.pos, o.span, o.shard,
	e.pos, e.stream, e.version, e.type, e.data, e.metadata, e.recorded_at, e.chain_hash, e.stream_id
FROM unnest($1::uuid[]) WITH ORDINALITY AS k (key_id, n)
CROSS JOIN LATERAL (
	SELECT request_hash, outcome, shard, pos, span FROM ledger.events WHERE key_id = k.key_id
	UNION ALL SELECT request_hash, body, shard, 0, 0 FROM ledger.outcomes WHERE key_id = k.key_id) AS o
LEFT JOIN LATERAL (SELECT * FROM ledger.events r
	WHERE o.outcome IS NULL AND r.shard = o.shard AND r.pos > o.pos - o.span ORDER BY r.pos LIMIT o.span) AS e ON true
ORDER BY k.n, e.pos`

// outcomesTell is the first column of an event that tells an outcome, outcomesColumns how many columns there are.
const (
	outcomesTell    = 6
	outcomesColumns = 15
)

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
	var last int64 // the number of the key that the row before was about, from 1
	for again := false; rows.Next(); {
		n, o, err := scanOutcome(rows)
		if err != nil {
			return nil, failed(ctx, "read outcomes", err)
		}
		key := keys[n-1]
		before, known := out[key]
		if n != last {
			last, again = n, known
		}
		if !again {
			o.Key, o.Events = key.Key, append(before.Events, o.Events...)
			out[key] = o
		}
	}
	if err := rows.Err(); err != nil {
		return nil, failed(ctx, "read outcomes", err)
	}
	return out, nil
}

// scanOutcome returns the number of a key, and its outcome with one of the events that tell it, if they do.
func scanOutcome(rows pgx.Rows) (n int64, o eventstore.Outcome, err error) {
	var span int64
	var hash id
	var e eventstore.Envelope
	first := []any{&n, &hash, &o.Body, &o.Position.Pos, &span, &e.Shard}
	if rows.RawValues()[outcomesTell] == nil {
		err = rows.Scan(append(first, make([]any, outcomesColumns-outcomesTell)...)...)
	} else {
		err = scan(rows, &e, first...)
		o.Events = []eventstore.Envelope{e}
	}
	o.RequestHash = eventstore.RequestHash(hash)
	if o.Position.Pos > 0 {
		o.Position.Shard = e.Shard
	}
	return n, o, err
}
