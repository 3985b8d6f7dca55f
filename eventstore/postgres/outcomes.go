package postgres

import (
	"context"

	"github.com/pingvas/pingvas/eventstore"
)

// Each key is looked for in the index by itself, whatever the planner thinks of the tables.
const outcomesSQL = `SELECT k.n, e.request_hash, e.outcome, e.shard, e.pos, e.span
FROM unnest($1::uuid[]) WITH ORDINALITY AS k (key_id, n), LATERAL (
	SELECT request_hash, outcome, shard, pos, span FROM ledger.events WHERE key_id = k.key_id
	UNION ALL SELECT request_hash, body, shard, 0, 0 FROM ledger.outcomes WHERE key_id = k.key_id) AS e`

// Outcomes implements eventstore.Store in one round trip, or two where events tell an outcome.
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
	var t told
	for rows.Next() {
		var n, span int
		var hash id
		var o eventstore.Outcome
		if err := rows.Scan(&n, &hash, &o.Body, &o.Position.Shard, &o.Position.Pos, &span); err != nil {
			return nil, failed(ctx, "read outcomes", err)
		}
		if o.Position.Pos == 0 {
			o.Position = eventstore.Position{}
		}
		o.Key, o.RequestHash = keys[n-1].Key, eventstore.RequestHash(hash)
		if _, twice := out[keys[n-1]]; o.Body == nil && !twice {
			t.add(keys[n-1], o.Position, span)
		}
		out[keys[n-1]] = o
	}
	if err := rows.Err(); err != nil {
		return nil, failed(ctx, "read outcomes", err)
	}
	return out, s.tell(ctx, t, out)
}

// told are outcomes that their events tell.
type told struct {
	keys         []eventstore.OutcomeKey
	shard        []int16
	before, last []int64
}

func (t *told) add(key eventstore.OutcomeKey, at eventstore.Position, span int) {
	t.keys, t.shard = append(t.keys, key), append(t.shard, int16(at.Shard))
	t.before, t.last = append(t.before, at.Pos-int64(span)), append(t.last, at.Pos)
}

const toldSQL = `SELECT t.n, t.shard, e.pos, e.stream, e.version, e.type, e.data, e.metadata, e.recorded_at,
	e.chain_hash, e.stream_id
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS t (shard, before, last, n)
CROSS JOIN LATERAL (SELECT * FROM ledger.events r
	WHERE r.shard = t.shard AND r.pos > t.before AND r.pos <= t.last ORDER BY r.pos) AS e
ORDER BY t.n, e.pos`

// tell adds the events to the outcomes that they tell.
func (s *Store) tell(ctx context.Context, t told, out map[eventstore.OutcomeKey]eventstore.Outcome) error {
	if len(t.keys) == 0 {
		return nil
	}
	rows, err := s.pool.Query(ctx, toldSQL, t.shard, t.before, t.last)
	if err != nil {
		return failed(ctx, "read what tells outcomes", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var e eventstore.Envelope
		if err := scan(rows, &e, &n, &e.Shard); err != nil {
			return failed(ctx, "read what tells outcomes", err)
		}
		key := t.keys[n-1]
		o := out[key]
		o.Events = append(o.Events, e)
		out[key] = o
	}
	if err := rows.Err(); err != nil {
		return failed(ctx, "read what tells outcomes", err)
	}
	return nil
}
