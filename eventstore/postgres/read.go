package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

// eventRow is what both reads select.
type eventRow struct {
	Shard      int
	Pos        int64
	Stream     string
	Version    int64
	Type       string
	Data       []byte
	Metadata   []byte
	RecordedAt time.Time
	LeafHash   []byte
	ChainHash  []byte
	StreamID   id
}

const readShardSQL = `SELECT shard, pos, stream, version, type, data, metadata, recorded_at, leaf_hash, chain_hash,
	stream_id
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
	return collect(ctx, "read a shard", rows)
}

// readStreamsSQL goes through the streams in order and reads each by index, so that it stops at the limit.
const readStreamsSQL = `SELECT e.shard, e.pos, e.stream, e.version, e.type, e.data, e.metadata, e.recorded_at,
	e.leaf_hash, e.chain_hash, e.stream_id
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
	return collect(ctx, "read streams", rows)
}

func collect(ctx context.Context, doing string, rows pgx.Rows) ([]eventstore.Envelope, error) {
	events, err := pgx.CollectRows(rows, pgx.RowToStructByName[eventRow])
	if err != nil {
		return nil, failed(ctx, doing, err)
	}
	out := make([]eventstore.Envelope, len(events))
	for i, e := range events {
		if e.StreamID != streamID(e.Shard, e.Stream) {
			return nil, fmt.Errorf("%s: event %d:%d is filed under another stream than its own", doing, e.Shard, e.Pos)
		}
		out[i] = fromRow(e)
	}
	return out, nil
}

func fromRow(e eventRow) eventstore.Envelope {
	return eventstore.Envelope{
		Shard: e.Shard, Pos: e.Pos, Stream: e.Stream, Version: e.Version, Type: e.Type,
		Data: e.Data, Metadata: e.Metadata, RecordedAt: e.RecordedAt.UTC(),
		Leaf: eventstore.Hash(e.LeafHash), Chain: eventstore.Hash(e.ChainHash),
	}
}
