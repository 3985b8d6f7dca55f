package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pingvas/pingvas/eventstore"
)

const readShardSQL = `SELECT pos, stream, version, type, data, metadata, recorded_at, chain_hash, stream_id
FROM ledger.events WHERE shard = $1 AND pos > $2 ORDER BY pos LIMIT $3`

// ReadShard implements eventstore.Store.
func (s *Store) ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error) {
	if err := eventstore.CheckRead(shard, s.shards, limit); err != nil {
		return nil, err
	}
	rows, err := s.pool.Query(ctx, readShardSQL, shard, after, limit)
	if err != nil {
		return nil, failed(ctx, "read a shard", err)
	}
	return collect(ctx, "read a shard", shard, rows)
}

// readStreamsSQL goes through the streams in order and reads each by index, so that it stops at the limit.
const readStreamsSQL = `SELECT e.pos, e.stream, e.version, e.type, e.data, e.metadata, e.recorded_at,
	e.chain_hash, e.stream_id
FROM (SELECT * FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS u (stream_id, version, n) ORDER BY n) AS s
CROSS JOIN LATERAL (SELECT * FROM ledger.events r
	WHERE r.stream_id = s.stream_id AND r.version > s.version ORDER BY r.version LIMIT $3) AS e
ORDER BY s.n, e.version LIMIT $3`

// ReadStreams implements eventstore.Store.
func (s *Store) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	if err := eventstore.CheckRead(shard, s.shards, limit); err != nil {
		return nil, err
	}
	if err := eventstore.CheckStreams(after); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(slices.Values(after), func(a, b eventstore.StreamVersion) int {
		return strings.Compare(a.Stream, b.Stream)
	})
	ids, versions := make([]id, len(after)), make([]int64, len(after))
	for i, a := range sorted {
		ids[i], versions[i] = streamID(shard, a.Stream), a.Version
	}
	rows, err := s.pool.Query(ctx, readStreamsSQL, ids, versions, limit)
	if err != nil {
		return nil, failed(ctx, "read streams", err)
	}
	return collect(ctx, "read streams", shard, rows)
}

// collect reads the rows of events, which belong to the shard, and closes them.
func collect(ctx context.Context, doing string, shard int, rows pgx.Rows) ([]eventstore.Envelope, error) {
	defer rows.Close()
	out := []eventstore.Envelope{}
	for rows.Next() {
		e := eventstore.Envelope{Shard: shard}
		if err := scan(rows, &e); err != nil {
			return nil, failed(ctx, doing, err)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, failed(ctx, doing, err)
	}
	return out, nil
}

// scan reads the row of an event whose shard is known or among the columns that stand first.
func scan(rows pgx.Rows, e *eventstore.Envelope, first ...any) error {
	var filed id
	var chain pgtype.DriverBytes // good until the next row
	err := rows.Scan(append(first, &e.Pos, &e.Stream, &e.Version, &e.Type, &e.Data, &e.Metadata, &e.RecordedAt, &chain,
		&filed)...)
	if err != nil {
		return err
	}
	if filed != streamID(e.Shard, e.Stream) {
		return fmt.Errorf("event %s is filed under another stream than its own", e.Position())
	}
	e.RecordedAt = e.RecordedAt.UTC()
	if e.Chain, err = hash(chain); err != nil {
		return fmt.Errorf("event %s: %w", e.Position(), err)
	}
	return nil
}

// hash takes what is in the database for no more than bytes.
func hash(b []byte) (eventstore.Hash, error) {
	if len(b) != len(eventstore.Hash{}) {
		return eventstore.Hash{}, fmt.Errorf("a hash of %d bytes is recorded", len(b))
	}
	return eventstore.Hash(b), nil
}
