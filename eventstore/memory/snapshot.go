package memory

import (
	"bytes"
	"context"

	"github.com/pingvas/pingvas/eventstore"
)

var _ eventstore.Snapshots = (*Store)(nil)

// LoadSnapshots implements eventstore.Snapshots.
func (s *Store) LoadSnapshots(ctx context.Context, shard int, streams []string) ([]eventstore.Snapshot, error) {
	if err := eventstore.CheckRead(shard, len(s.shards), 1); err != nil {
		return nil, err
	}
	sh := s.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	var found []eventstore.Snapshot
	for _, name := range streams {
		if kept, ok := sh.snapshots[name]; ok {
			found = append(found, kept)
		}
	}
	return found, ctx.Err()
}

// SaveSnapshots implements eventstore.Snapshots.
func (s *Store) SaveSnapshots(ctx context.Context, all []eventstore.Snapshot) error {
	for _, kept := range all {
		if err := eventstore.CheckRead(kept.Shard, len(s.shards), 1); err != nil {
			return err
		}
	}
	for _, kept := range all {
		s.shards[kept.Shard].keep(kept)
	}
	return ctx.Err()
}

func (sh *shard) keep(kept eventstore.Snapshot) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if kept.Version >= sh.snapshots[kept.Stream].Version {
		kept.State = bytes.Clone(kept.State)
		sh.snapshots[kept.Stream] = kept
	}
}
