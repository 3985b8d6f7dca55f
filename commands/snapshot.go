package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// How many events an account gets between two snapshots, and so how many are read for it at most, besides those that
// other processes have appended: within bounds snapshotThing for each thing in its state, which has to be written.
const (
	snapshotLeast = 250
	snapshotMost  = 2000
	snapshotThing = 4
)

// SnapshotDue reports whether an account that has got so many events since its last snapshot is to have another.
func SnapshotDue(s *account.State, events int64) bool {
	return events >= int64(min(max(snapshotLeast, snapshotThing*s.Things()), snapshotMost))
}

// restore begins the accounts of a group with what was kept of them. Other streams are short.
func (l *Ledger) restore(ctx context.Context, shard int, group []*loading) error {
	accounts := map[string]*accountStream{}
	for _, w := range group {
		for name, e := range w.entries {
			if s, is := e.state.(*accountStream); is && e.own && !w.begun {
				accounts[name] = s
			}
		}
		w.begun = true
	}
	if l.kept == nil || len(accounts) == 0 {
		return nil
	}
	found, err := l.kept.LoadSnapshots(ctx, shard, slices.Collect(maps.Keys(accounts)))
	if err != nil {
		return fmt.Errorf("load %d snapshots: %w", len(accounts), err)
	}
	for _, kept := range found {
		var state account.Snapshot
		if kept.Format != account.SnapshotFormat || json.Unmarshal(kept.State, &state) != nil {
			continue // the events say the same
		}
		s := accounts[kept.Stream]
		s.state, s.version, s.kept = account.Restore(state), kept.Version, kept.Version
	}
	return nil
}

// save saves snapshots of accounts. A failure costs time later and nothing else, so it is left at that.
func (l *Ledger) save(snapshots []*snapshot) {
	if l.kept == nil || len(snapshots) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	all := make([]eventstore.Snapshot, 0, len(snapshots))
	for _, s := range snapshots {
		if state, err := json.Marshal(s.state); err == nil {
			all = append(all, eventstore.Snapshot{
				StreamVersion: s.at, Shard: s.shard, Format: account.SnapshotFormat, State: state,
			})
		}
	}
	_ = l.kept.SaveSnapshots(ctx, all)
}
