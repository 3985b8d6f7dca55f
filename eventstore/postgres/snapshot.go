package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

var _ eventstore.Snapshots = (*Store)(nil)

const (
	loadSnapshotsSQL = `SELECT stream, version, format, state::text
FROM ledger.snapshots WHERE shard = $1 AND stream = ANY($2)`
	// What a crash of the database takes is read from the events again, so no commit waits for the disk.
	saveSnapshotsSQL = `INSERT INTO ledger.snapshots AS s (shard, stream, version, format, state)
SELECT DISTINCT ON (shard, stream) shard, stream, version, format, state::json
FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::integer[], $5::text[])
	AS n (shard, stream, version, format, state), set_config('synchronous_commit', 'off', true)
ORDER BY shard, stream, version DESC
ON CONFLICT (shard, stream) DO UPDATE SET version = excluded.version, format = excluded.format, state = excluded.state
WHERE s.version <= excluded.version`
)

// LoadSnapshots implements eventstore.Snapshots.
func (s *Store) LoadSnapshots(ctx context.Context, shard int, streams []string) ([]eventstore.Snapshot, error) {
	if err := eventstore.CheckRead(shard, s.shards, 1); err != nil {
		return nil, err
	}
	// Query reports its error through the rows.
	rows, _ := s.pool.Query(ctx, loadSnapshotsSQL, shard, streams)
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (eventstore.Snapshot, error) {
		kept := eventstore.Snapshot{Shard: shard}
		err := row.Scan(&kept.Stream, &kept.Version, &kept.Format, &kept.State)
		return kept, err
	})
	if err != nil {
		return nil, failed(ctx, "load snapshots", err)
	}
	return found, nil
}

// SaveSnapshots implements eventstore.Snapshots.
func (s *Store) SaveSnapshots(ctx context.Context, all []eventstore.Snapshot) error {
	shards, streams := make([]int16, len(all)), make([]string, len(all))
	versions, formats := make([]int64, len(all)), make([]int32, len(all))
	states := make([]string, len(all))
	for i, kept := range all {
		if err := eventstore.CheckRead(kept.Shard, s.shards, 1); err != nil {
			return err
		}
		shards[i], streams[i], versions[i] = int16(kept.Shard), kept.Stream, kept.Version
		formats[i], states[i] = int32(kept.Format), string(kept.State)
	}
	if _, err := s.pool.Exec(ctx, saveSnapshotsSQL, shards, streams, versions, formats, states); err != nil {
		return failed(ctx, "save snapshots", err)
	}
	return nil
}
