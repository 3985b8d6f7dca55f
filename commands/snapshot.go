package commands

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// snapshotEvery is how many events an account gets between two snapshots, and so how many are read for it at most,
// besides those that other processes have appended.
const snapshotEvery = 1000

// restore begins the accounts among the streams with what was kept of them. Other streams are short.
func (l *Ledger) restore(ctx context.Context, shard int, streams map[string][]folded) error {
	if l.kept == nil {
		return nil
	}
	var names []string
	for name, same := range streams {
		if _, is := same[0].(*accountStream); is { // only its own account ever uses it
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	found, err := l.kept.LoadSnapshots(ctx, shard, names)
	if err != nil {
		return fmt.Errorf("load %d snapshots: %w", len(names), err)
	}
	for _, kept := range found {
		var state account.Snapshot
		if kept.Format != account.SnapshotFormat || json.Unmarshal(kept.State, &state) != nil {
			continue // the events say the same
		}
		s := streams[kept.Stream][0].(*accountStream)
		s.state, s.version, s.kept = account.Restore(state), kept.Version, kept.Version
	}
	return nil
}

// keep makes a snapshot of an account that has got many events since the last one. A failure costs time later and
// nothing else, so it is left at that.
func (l *Ledger) keep(ctx context.Context, shard int, s folded) {
	a, is := s.(*accountStream)
	if !is || l.kept == nil || a.version-a.kept < snapshotEvery {
		return
	}
	a.kept = a.version
	if state, err := json.Marshal(a.state.Snapshot()); err == nil {
		_ = l.kept.SaveSnapshot(ctx, shard, eventstore.Snapshot{
			StreamVersion: a.at(), Format: account.SnapshotFormat, State: state,
		})
	}
}
