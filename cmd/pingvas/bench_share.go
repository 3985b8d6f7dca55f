package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/commands"
)

// benchShareCmd is `pingvas bench share`.
type benchShareCmd struct {
	Clients  int           `default:"64" help:"Number of clients; with two processes each gets half of them."`
	Spreads  []string      `default:"uniform,hot" enum:"uniform,zipf,hot" help:"How the commands are spread over the accounts: ${enum}."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Round    time.Duration `default:"3s" help:"Length of a round."`
	Rounds   int           `default:"2" help:"Rounds. Each is printed."`
	benchOutput
}

// Run implements the command.
func (c *benchShareCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench share", c.measure)
}

func (c *benchShareCmd) measure(ctx context.Context, b *bench) (any, error) {
	other, err := b.another(ctx)
	if err != nil {
		return nil, err
	}
	defer other.close()
	if err := (ledgerbench.Ours{Ledger: b.parts.ledger}).Prepare(ctx, c.Accounts); err != nil {
		return nil, err
	}
	var processes [2]ledgerbench.Process
	for i, p := range []*parts{b.parts, other} {
		if processes[i], err = counted(p); err != nil {
			return nil, err
		}
	}
	var all []ledgerbench.Share
	for _, spread := range c.Spreads {
		w := ledgerbench.Workload{
			Accounts: c.Accounts, Clients: c.Clients, Spread: ledgerbench.Spread(spread), Round: c.Round,
		}
		for range c.Rounds {
			found, err := w.ShareWork(ctx, processes)
			if err != nil {
				return nil, err
			}
			found.Print(b.out)
			all = append(all, found)
		}
	}
	return all, verify(ctx, b.parts, false, b.out)
}

// counted returns a ledger whose appends are counted.
func counted(p *parts) (ledgerbench.Process, error) {
	store := &ledgerbench.CountingStore{Store: p.store}
	ledger, err := commands.New(commands.Config{Store: store, Codec: p.codec, Snapshots: p.store})
	return ledgerbench.Process{Ledger: ledger, Store: store}, err
}
