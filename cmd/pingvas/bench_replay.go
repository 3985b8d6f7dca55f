package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/eventstore/audit"
)

// benchReplayCmd is `pingvas bench replay`.
type benchReplayCmd struct {
	Events   int64 `default:"1000000" help:"Events of the ledger."`
	Accounts int   `default:"1000" help:"Number of accounts."`
	benchOutput
}

// Run implements the command.
func (c *benchReplayCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench replay", c.measure)
}

// replayQuarters is at how many equal parts of a replay its memory is read.
const replayQuarters = 4

// replayResult is one verification. Memory is in bytes, 0 where the operating system does not tell.
type replayResult struct {
	Events   int64   `json:"events"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"events_per_second"`
	Resident []int64 `json:"resident_bytes"` // before, and after each quarter
}

func (c *benchReplayCmd) measure(ctx context.Context, b *bench) (any, error) {
	history := ledgerbench.History{
		Store: b.store, Codec: b.codec, Accounts: c.Accounts, Events: c.Events, Progress: b.notes,
	}
	if err := history.Write(ctx); err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // what writing took is not to be blamed on reading
	result := replayResult{Resident: []int64{resident()}}
	start := time.Now()
	report, err := audit.Verify(ctx, audit.Config{Store: b.store, Codec: b.codec, Progress: result.see})
	if err != nil {
		return nil, err
	}
	result.Events, result.Seconds = report.Events, time.Since(start).Seconds()
	result.Rate = float64(result.Events) / result.Seconds
	fmt.Fprintf(b.out, "verified %d events in %.1f s: %.0f events/s; resident MiB at 0, 25, 50, 75, 100 %%:",
		result.Events, result.Seconds, result.Rate)
	for _, bytes := range result.Resident {
		fmt.Fprintf(b.out, " %d", bytes>>20)
	}
	fmt.Fprintln(b.out)
	if !report.Sound() {
		printReport(b.out, report, time.Since(start))
		return nil, errUnsound
	}
	return result, nil
}

// see reads the memory at each quarter.
func (r *replayResult) see(done, total int64) {
	for len(r.Resident) <= replayQuarters && done*replayQuarters >= total*int64(len(r.Resident)) {
		r.Resident = append(r.Resident, resident())
	}
}

func resident() int64 {
	bytes, _ := ledgerbench.Resident(os.Getpid())
	return bytes
}
