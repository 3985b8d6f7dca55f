package ledgerbench

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/eventstore"
)

// coldBehind is how many events the snapshot of a long account lacks: nearly as many as the ledger lets pass between
// two snapshots, so that the slowest case is measured.
const coldBehind = 240

// Long is one account with many events.
type Long struct {
	Store     eventstore.Store
	Snapshots eventstore.Snapshots
	Codec     *eventstore.Codec
	Events    int64
	// Progress gets a line now and then. Nil is silent.
	Progress io.Writer
}

// progressShare is after which part of a history a line is written: every tenth.
const progressShare = 10

// Write appends the account's history, and its snapshot where a ledger that has run all the time might have left it.
func (l Long) Write(ctx context.Context) error {
	a := NewAuthor(l.Codec, 0)
	shard := eventstore.ShardOf(AccountID(0), l.Store.Shards())
	u, err := a.Open(ctx)
	if err != nil {
		return err
	}
	snapshotAt := max(l.Events/2, l.Events-coldBehind)
	for a.Version() < l.Events || len(u.Events) > 0 {
		until := l.Events
		if a.Version() < snapshotAt {
			until = snapshotAt
		}
		before := a.Version()
		if err := a.Commands(ctx, &u, int(min(writeUnit, until-before))); err != nil {
			return err
		}
		u.Outcomes = nil
		if err := appendAll(ctx, l.Store, shard, []eventstore.Unit{u}); err != nil {
			return err
		}
		u = eventstore.Unit{}
		if a.Version() == snapshotAt {
			if err := a.save(ctx, l.Snapshots, shard); err != nil {
				return err
			}
		}
		if part := l.Events / progressShare; part > 0 && before/part != a.Version()/part && l.Progress != nil {
			fmt.Fprintf(l.Progress, "%d of %d events written\n", a.Version(), l.Events)
		}
	}
	return nil
}

// Cold is how long the first commands took that ledgers without anything in memory ran on a long account, in
// milliseconds.
type Cold struct {
	Events   int64     `json:"events"`
	Snapshot bool      `json:"snapshot"`
	First    []float64 `json:"first_command_ms"`
	Second   []float64 `json:"second_command_ms"`
}

// Start measures one cold start.
func (c *Cold) Start(ctx context.Context, l *commands.Ledger) error {
	p := Workload{Accounts: 1, Spread: Hot}.picker()
	start := time.Now()
	hold, err := Ours{Ledger: l}.Reserve(ctx, 0, p.id())
	if err != nil {
		return fmt.Errorf("reserve on a cold ledger: %w", err)
	}
	c.First = append(c.First, millis(time.Since(start)))
	start = time.Now()
	if err := (Ours{Ledger: l}).End(ctx, 0, hold, SettleAll); err != nil {
		return fmt.Errorf("settle on a ledger that was cold: %w", err)
	}
	c.Second = append(c.Second, millis(time.Since(start)))
	return nil
}

// Print writes one line.
func (c Cold) Print(out io.Writer) {
	kind := "without a snapshot"
	if c.Snapshot {
		kind = "with a snapshot"
	}
	fmt.Fprintf(out, "account of %d events, %s: first command %.1f ms, the next %.2f ms (medians of %d cold starts)\n",
		c.Events, kind, Median(c.First), Median(c.Second), len(c.First))
}
