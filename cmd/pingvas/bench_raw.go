package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchRawCmd is `pingvas bench raw`.
type benchRawCmd struct {
	Spreads  []string      `default:"uniform,hot" enum:"uniform,hot" help:"How the commands are spread over the accounts: ${enum}."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Batch    int           `default:"256" help:"Commands of one append."`
	Commands int           `default:"100000" help:"Commands of a round."`
	Clients  int           `default:"512" help:"Clients of the ledger, which is measured beside."`
	Round    time.Duration `default:"2s" help:"Length of a round of the ledger."`
	Rounds   int           `default:"3" help:"Rounds of each way, in turn; the median counts."`
	benchOutput
}

// Run implements the command.
func (c *benchRawCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench raw", c.measure)
}

// rawSpread is the measurement of one spread.
type rawSpread struct {
	Raw    []ledgerbench.RawResult `json:"raw"`
	Ledger ledgerbench.Result      `json:"ledger"` // the same commands, decided
}

func (c *benchRawCmd) measure(ctx context.Context, b *bench) (any, error) {
	var all []rawSpread
	for i, name := range c.Spreads {
		// Accounts of their own for each spread, and for the ledger.
		first := 2 * i * c.Accounts
		found, err := c.spread(ctx, b, ledgerbench.Spread(name), first)
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, verify(ctx, b.parts, false, b.out)
}

func (c *benchRawCmd) spread(
	ctx context.Context, b *bench, spread ledgerbench.Spread, first int,
) (rawSpread, error) {
	raw := ledgerbench.Raw{Store: b.store, Codec: b.codec, Pool: b.pool, Batch: c.Batch, First: first}
	if err := raw.Prepare(ctx, c.Accounts, spread); err != nil {
		return rawSpread{}, err
	}
	out := rawSpread{}
	for _, way := range []string{ledgerbench.RawAppend, ledgerbench.RawCopy} {
		out.Raw = append(out.Raw, ledgerbench.RawResult{Way: way, Spread: spread, Batch: c.Batch})
	}
	for round := range c.Rounds {
		for i := range out.Raw {
			rate, err := raw.Round(ctx, out.Raw[i].Way, c.Commands)
			if err != nil {
				return rawSpread{}, err
			}
			out.Raw[i].Commands = append(out.Raw[i].Commands, rate)
			fmt.Fprintf(b.notes, "%s, round %d: %s %.0f commands/s\n", spread, round+1, out.Raw[i].Way, rate)
		}
	}
	var err error
	if out.Ledger, err = c.ledger(ctx, b, spread, first+c.Accounts); err != nil {
		return rawSpread{}, err
	}
	c.print(b, out)
	return out, nil
}

// ledger measures the same commands with decisions.
func (c *benchRawCmd) ledger(
	ctx context.Context, b *bench, spread ledgerbench.Spread, first int,
) (ledgerbench.Result, error) {
	ours := ledgerbench.Ours{Ledger: b.parts.ledger, First: first}
	if err := ours.Prepare(ctx, c.Accounts); err != nil {
		return ledgerbench.Result{}, err
	}
	comparison := ledgerbench.Comparison{Targets: []ledgerbench.Target{ours}, Rounds: c.Rounds, Progress: b.notes}
	results, err := comparison.Run(ctx, ledgerbench.Workload{
		Accounts: c.Accounts, Clients: c.Clients, Spread: spread, Round: c.Round,
	})
	if err != nil {
		return ledgerbench.Result{}, err
	}
	return results[0], nil
}

func (c *benchRawCmd) print(b *bench, r rawSpread) {
	for _, way := range r.Raw {
		way.Print(b.out)
	}
	decided := 2 * ledgerbench.Median(r.Ledger.Pairs)
	fmt.Fprintf(b.out, "%-8s %d clients      ledger   %9.0f commands/s  %.2f × append\n",
		r.Ledger.Spread, c.Clients, decided, decided/ledgerbench.Median(r.Raw[0].Commands))
}
