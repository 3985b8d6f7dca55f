package main

import (
	"context"
	"log/slog"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/eventstore"
)

// benchColdCmd is `pingvas bench cold`.
type benchColdCmd struct {
	Events int64 `default:"1000000" help:"Events of the account."`
	Starts int   `default:"5" help:"Cold starts with the snapshot; the median counts."`
	Whole  int   `default:"1" help:"Cold starts without it."`
	benchOutput
}

// Run implements the command.
func (c *benchColdCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench cold", c.measure)
}

func (c *benchColdCmd) measure(ctx context.Context, b *bench) (any, error) {
	long := ledgerbench.Long{
		Store: b.store, Snapshots: b.store, Codec: b.codec, Events: c.Events, Progress: b.notes,
	}
	if err := long.Write(ctx); err != nil {
		return nil, err
	}
	var all []ledgerbench.Cold
	for _, kind := range []struct {
		snapshot bool
		starts   int
	}{{true, c.Starts}, {false, c.Whole}} {
		found := ledgerbench.Cold{Events: c.Events, Snapshot: kind.snapshot}
		for range kind.starts {
			if err := b.coldStart(ctx, &found); err != nil {
				return nil, err
			}
		}
		if kind.starts > 0 {
			found.Print(b.out)
			all = append(all, found)
		}
	}
	return all, nil
}

// coldStart measures on connections, keys and caches that nothing has used before.
func (b *bench) coldStart(ctx context.Context, found *ledgerbench.Cold) error {
	p, err := b.another(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	var kept eventstore.Snapshots
	if found.Snapshot {
		kept = p.store
	}
	ledger, err := commands.New(commands.Config{Store: p.store, Codec: p.codec, Snapshots: kept})
	if err != nil {
		return err
	}
	return found.Start(ctx, ledger)
}
