package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchRounds say how long and on what a comparison runs.
type benchRounds struct {
	Spreads  []string      `default:"uniform,zipf,hot" enum:"uniform,zipf,hot" help:"How the commands are spread over the accounts: ${enum}."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Round    time.Duration `default:"3s" help:"Length of a round."`
	Rounds   int           `default:"3" help:"Rounds of each target, in turn; the median counts."`
}

// compare runs every workload and prints it.
func (r benchRounds) compare(
	ctx context.Context, b *bench, clients []int, c ledgerbench.Comparison,
) ([]ledgerbench.Result, error) {
	c.Rounds, c.Progress = r.Rounds, b.notes
	var all []ledgerbench.Result
	for _, n := range clients {
		for _, spread := range r.Spreads {
			results, err := c.Run(ctx, ledgerbench.Workload{
				Accounts: r.Accounts, Clients: n, Spread: ledgerbench.Spread(spread), Round: r.Round,
			})
			if err != nil {
				return nil, err
			}
			ledgerbench.Print(b.out, results)
			all = append(all, results...)
		}
	}
	return all, nil
}

// benchNaive says how the naive side connects. It matters: on many accounts more connections share a flush of the log,
// on one they wait for each other.
type benchNaive struct {
	Connections int32 `name:"naive-connections" default:"32" help:"Connections of the naive side. The driver's own default is one for each processor, but at least 4."`
}

// naiveConnsMax leaves the other processes of a measurement enough of those that the server has.
const naiveConnsMax = 100

func (n benchNaive) check() error {
	if n.Connections < 1 || n.Connections > naiveConnsMax {
		return fmt.Errorf("%d connections of the naive side are not between 1 and %d", n.Connections, naiveConnsMax)
	}
	return nil
}

func (n benchNaive) open(ctx context.Context, databaseURL string) (ledgerbench.Naive, error) {
	if err := n.check(); err != nil {
		return ledgerbench.Naive{}, err
	}
	pool, err := openPool(ctx, databaseURL, "", n.Connections)
	return ledgerbench.Naive{Pool: pool}, err
}

// benchLedgerCmd is `pingvas bench ledger`.
type benchLedgerCmd struct {
	Clients []int `default:"8,64,512" help:"Numbers of clients."`
	benchNaive
	benchRounds
	benchOutput
}

// Run implements the command.
func (c *benchLedgerCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench ledger", c.measure)
}

func (c *benchLedgerCmd) measure(ctx context.Context, b *bench) (any, error) {
	ours := ledgerbench.Ours{Ledger: b.parts.ledger}
	naive, err := c.open(ctx, b.ledger.DatabaseURL)
	if err != nil {
		return nil, err
	}
	defer naive.Pool.Close()
	if err := naive.Prepare(ctx, c.Accounts); err != nil {
		return nil, err
	}
	if err := ours.Prepare(ctx, c.Accounts); err != nil {
		return nil, err
	}
	meter, err := ledgerbench.NewMeter(ctx, b.pool)
	if err != nil {
		return nil, err
	}
	results, err := c.compare(ctx, b, c.Clients, ledgerbench.Comparison{
		Targets: []ledgerbench.Target{naive, ours}, Meter: meter,
	})
	if err != nil {
		return nil, err
	}
	return results, verify(ctx, b.parts, false, b.out)
}
