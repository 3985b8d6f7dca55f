package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchCmd is `pingvas bench`.
type benchCmd struct {
	Ledger benchLedgerCmd `cmd:"" help:"Measure reserve and settle against one SQL transaction per command, on a Postgres of its own."`
}

// benchLedgerCmd is `pingvas bench ledger`.
type benchLedgerCmd struct {
	Clients  []int         `default:"8,64,512" help:"Numbers of clients."`
	Spreads  []string      `default:"uniform,zipf,hot" enum:"uniform,zipf,hot" help:"How the commands are spread over the accounts: ${enum}."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Round    time.Duration `default:"3s" help:"Length of a round."`
	Rounds   int           `default:"3" help:"Rounds of each target; the median counts."`
	Profile  string        `name:"cpu-profile" help:"Write a CPU profile of this process to a file."`
}

// Run implements the command.
func (c *benchLedgerCmd) Run(ctx context.Context, log *slog.Logger) error {
	dir, remove, err := tempFolder("bench")
	if err != nil {
		return err
	}
	defer remove()
	server, err := startPostgres(ctx, dir, 0, log)
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }()
	master, err := secretFile(dir, "master.key")
	if err != nil {
		return err
	}
	return c.measure(ctx, log, ledgerSettings{DatabaseURL: server.URL("postgres"), MasterKey: master})
}

// profile begins the CPU profile, if one is wanted.
func (c *benchLedgerCmd) profile() (stop func(), err error) {
	if c.Profile == "" {
		return func() {}, nil
	}
	file, err := os.Create(c.Profile)
	if err != nil {
		return nil, fmt.Errorf("create the CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("begin the CPU profile: %w", err), file.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}

func (c *benchLedgerCmd) measure(ctx context.Context, log *slog.Logger, ledger ledgerSettings) error {
	if err := migrate(ctx, ledger.DatabaseURL, devShards); err != nil {
		return err
	}
	p := newParts(log)
	defer p.close()
	if err := p.openLedger(ctx, ledger); err != nil {
		return err
	}
	targets := []ledgerbench.Target{ledgerbench.Naive{Pool: p.pool}, ledgerbench.Ours{Ledger: p.ledger}}
	for _, t := range targets {
		if err := t.Prepare(ctx, c.Accounts); err != nil {
			return err
		}
	}
	fmt.Printf("%s, %d cores, fsync and synchronous_commit on, %d accounts, median of %d rounds of %s\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), c.Accounts, c.Rounds, c.Round)
	stop, err := c.profile()
	if err != nil {
		return err
	}
	defer stop()
	for _, clients := range c.Clients {
		for _, spread := range c.Spreads {
			w := ledgerbench.Workload{
				Accounts: c.Accounts, Clients: clients, Spread: ledgerbench.Spread(spread), Round: c.Round,
			}
			results, err := ledgerbench.Compare(ctx, w, c.Rounds, targets)
			if err != nil {
				return err
			}
			ledgerbench.Print(os.Stdout, w, results)
		}
	}
	return verify(ctx, p, false, os.Stdout)
}
