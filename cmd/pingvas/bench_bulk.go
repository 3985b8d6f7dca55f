package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchBulkCmd is `pingvas bench bulk`.
type benchBulkCmd struct {
	Spreads  []string      `default:"uniform,hot" enum:"uniform,hot" help:"How the batches are spread over the accounts: ${enum}."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Size     int           `default:"500" help:"Commands of one batch."`
	Clients  int           `default:"4" help:"Clients of the bulk endpoint."`
	Commands int           `default:"100000" help:"Commands of a round of raw appends."`
	Round    time.Duration `default:"3s" help:"Length of a round of the bulk endpoint."`
	Rounds   int           `default:"3" help:"Rounds of each, in turn; the median counts."`
	benchOutput
}

// Run implements the command.
func (c *benchBulkCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench bulk", c.measure)
}

// bulkResult is the measurement of one spread, in commands per second of each round.
type bulkResult struct {
	Spread string    `json:"spread"`
	Size   int       `json:"size"`
	Bulk   []float64 `json:"bulk_commands_per_second"`
	Raw    []float64 `json:"raw_commands_per_second"`
}

func (c *benchBulkCmd) measure(ctx context.Context, b *bench) (_ any, err error) {
	secrets, err := b.openAccounts(ctx, c.Accounts)
	if err != nil {
		return nil, err
	}
	server, err := b.serve(ctx, "pingvas")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	bulk := ledgerbench.Bulk{Addr: server.addr, Secrets: secrets, Size: c.Size}
	var all []bulkResult
	for i, spread := range c.Spreads {
		raw := ledgerbench.Raw{
			Store: b.store, Codec: b.codec, Pool: b.pool, Batch: c.Size, First: (i + 1) * c.Accounts,
		}
		result, err := c.spread(ctx, b, ledgerbench.Spread(spread), &raw, bulk)
		if err != nil {
			return nil, err
		}
		all = append(all, result)
	}
	return all, verify(ctx, b.parts, false, b.out)
}

func (c *benchBulkCmd) spread(
	ctx context.Context, b *bench, spread ledgerbench.Spread, raw *ledgerbench.Raw, bulk ledgerbench.Bulk,
) (bulkResult, error) {
	out := bulkResult{Spread: string(spread), Size: c.Size}
	if err := raw.Prepare(ctx, c.Accounts, spread); err != nil {
		return out, err
	}
	w := ledgerbench.Workload{Accounts: c.Accounts, Clients: c.Clients, Spread: spread, Round: c.Round}
	for round := range c.Rounds {
		appended, err := raw.Round(ctx, ledgerbench.RawAppend, c.Commands)
		if err != nil {
			return out, err
		}
		served, err := bulk.Round(ctx, w)
		if err != nil {
			return out, err
		}
		fmt.Fprintf(b.notes, "%s, round %d: append %.0f, bulk %.0f commands/s\n", spread, round+1, appended, served)
		out.Raw, out.Bulk = append(out.Raw, appended), append(out.Bulk, served)
	}
	appended, served := ledgerbench.Median(out.Raw), ledgerbench.Median(out.Bulk)
	fmt.Fprintf(b.out, "%-8s batches of %d  append %9.0f commands/s  bulk endpoint %9.0f commands/s  %.2f × append\n",
		spread, c.Size, appended, served, served/appended)
	return out, nil
}
