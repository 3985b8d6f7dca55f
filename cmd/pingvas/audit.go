package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/audit"
	"github.com/pingvas/pingvas/projections"
)

// errUnsound is the answer for a ledger or a read model that is not what it should be. The exit code tells.
var errUnsound = errors.New("the ledger does not verify")

// progressEvery is how often a long replay says how far it is.
const progressEvery = time.Second

// auditCmd is `pingvas audit`.
type auditCmd struct {
	Verify verifyCmd `cmd:"" help:"Replay the whole ledger and say what is wrong: positions, hashes, invariants, trial balance, reservations, and whether the read models equal the replay."`
}

// verifyCmd is `pingvas audit verify`.
type verifyCmd struct {
	toolSettings
	Views bool `help:"Compare the read models, and the digests that they have published, with the replay." default:"true" negatable:""`
}

// Run implements the command.
func (c *verifyCmd) Run(ctx context.Context, log *slog.Logger) error {
	p, done, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer done()
	return verify(ctx, p, c.Views, os.Stdout)
}

// verify replays the ledger and compares the views, and writes what it finds. errUnsound if anything is wrong.
func verify(ctx context.Context, p *parts, views bool, out io.Writer) error {
	start := time.Now()
	report, err := audit.Verify(ctx, audit.Config{Store: p.store, Codec: p.codec, Progress: printProgress(out)})
	if err != nil {
		return fmt.Errorf("verify the ledger: %w", err)
	}
	printReport(out, report, time.Since(start))
	sound := report.Sound()
	if views {
		equal, err := verifyViews(ctx, p, out)
		if err != nil {
			return err
		}
		sound = sound && equal
	}
	if !sound {
		return errUnsound
	}
	fmt.Fprintln(out, "everything verifies")
	return nil
}

func printProgress(out io.Writer) func(done, total int64) {
	last := time.Now()
	return func(done, total int64) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			fmt.Fprintf(out, "  %d of %d events replayed\n", done, total)
		}
	}
}

func printReport(out io.Writer, r audit.Report, took time.Duration) {
	fmt.Fprintf(out, "ledger: %d events in %d shards, %d accounts, %d generations, %d reservations, replayed in %s\n",
		r.Events, len(r.Heads), r.Accounts, r.Generations, r.Reservations, took.Round(time.Millisecond))
	fmt.Fprint(out, "trial balance:")
	for _, book := range domain.Books() {
		fmt.Fprintf(out, " %s %d", book, r.Balance[book])
	}
	fmt.Fprintf(out, " = %d\n", r.Balance.Sum())
	for _, f := range r.Findings {
		fmt.Fprintln(out, "WRONG", f)
	}
	if r.Sound() {
		fmt.Fprintln(out, "positions, versions, hashes, invariants and reservations: sound")
		return
	}
	fmt.Fprintf(out, "%d findings, %d shown\n", r.Wrong, len(r.Findings))
}

// verifyViews compares each read model with a replay up to where it stands.
func verifyViews(ctx context.Context, p *parts, out io.Writer) (bool, error) {
	equal := true
	for _, view := range rowViews() {
		v := projections.Verifier{Ledger: p.store, Decoder: p.codec, Pool: p.views, Projection: view}
		shards, err := v.Verify(ctx)
		if err != nil {
			return false, fmt.Errorf("replay the view %s: %w", view.Name(), err)
		}
		var events int64
		for _, s := range shards {
			events += s.Position.Pos
			if s.Live != s.Replayed {
				equal = false
				fmt.Fprintf(out, "WRONG %s view %s is %s, its replay %s\n", s.Position, view.Name(), s.Live, s.Replayed)
			}
			if s.Published != nil && s.Published.Digest != s.ReplayedThen {
				equal = false
				fmt.Fprintf(out, "WRONG %s view %s published %s, its replay is %s\n",
					s.Published.Position, view.Name(), s.Published.Digest, s.ReplayedThen)
			}
		}
		fmt.Fprintf(out, "view %-11s at %d events, digest %s\n", view.Name(), events, overall(shards))
	}
	return equal, nil
}

// overall is one digest for all shards of a view.
func overall(shards []projections.Verification) eventstore.Hash {
	var h eventstore.Hash
	for _, s := range shards {
		h = eventstore.ChainHash(h, s.Position.Pos, s.Replayed)
	}
	return h
}
