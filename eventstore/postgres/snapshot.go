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
	saveSnapshotSQL = `INSERT INTO ledger.snapshots AS s (shard, stream, version, format, state)
VALUES ($1, $2, $3, $4, $5)
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
		var kept eventstore.Snapshot
		err := row.Scan(&kept.Stream, &kept.Version, &kept.Format, &kept.State)
		return kept, err
	})
	if err != nil {
		return nil, failed(ctx, "load snapshots", err)
	}
	return found, nil
}

// SaveSnapshot implements eventstore.Snapshots.
func (s *Store) SaveSnapshot(ctx context.Context, shard int, kept eventstore.Snapshot) error {
	if err := eventstore.CheckRead(shard, s.shards, 1); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, saveSnapshotSQL, shard, kept.Stream, kept.Version, kept.Format, kept.State)
	if err != nil {
		return failed(ctx, "save a snapshot", err)
	}
	return nil
}
