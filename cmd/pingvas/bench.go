package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/jackc/pgx/v5"
)

// benchCmd is `pingvas bench`.
type benchCmd struct {
	Ledger benchLedgerCmd `cmd:"" help:"Measure reserve and settle against one SQL transaction per command, on a Postgres of its own."`
	Rest   benchRestCmd   `cmd:"" help:"Measure reserve and settle through the API against a plain JSON server, and how long a reserve takes at a fixed rate."`
	Outbox benchOutboxCmd `cmd:"" help:"Measure how fast the outbox publishes a ledger, to an embedded broker or to given ones."`
	Raw    benchRawCmd    `cmd:"" help:"Measure how fast the rows of commands can be recorded at all, without decisions."`
	Bulk   benchBulkCmd   `cmd:"" help:"Measure the bulk endpoint against appends of the same rows without decisions."`
	Replay benchReplayCmd `cmd:"" help:"Measure the verification of a long ledger, and whether its memory grows."`
	Cold   benchColdCmd   `cmd:"" help:"Measure the first command of an account with many events."`
	Share  benchShareCmd  `cmd:"" help:"Measure how two processes share one ledger."`
	Views  benchViewsCmd  `cmd:"" help:"Measure the read models: rebuilds, how soon a command is visible, and how fast questions are answered."`
	Worker benchWorkerCmd `cmd:"" help:"Measure what a job takes beside the image server's own time, with a fake one."`
	Dev    benchDevCmd    `cmd:"" help:"Measure the memory of pingvas dev under a steady load."`
	Search benchSearchCmd `cmd:"" help:"Measure search in a large index, the rebuild of its view, and how soon a picture is found."`
	Serve  benchServeCmd  `cmd:"" hidden:"" help:"Serve what a measurement needs in a process of its own."`
}

// benchOutput says where a measurement goes besides the table.
type benchOutput struct {
	Sync    time.Duration `name:"sync-delay" default:"0s" help:"Have each flush of the log take this much longer, for all sides, as on a disk with that latency (commit_delay)."`
	JSON    string        `name:"json" placeholder:"FILE" help:"Write the figures to a file as JSON, too."`
	Profile string        `name:"cpu-profile" placeholder:"FILE" help:"Write a CPU profile of this process to a file."`
}

// benchReport is what the file holds.
type benchReport struct {
	Command string    `json:"command"`
	At      time.Time `json:"at"`
	Cores   int       `json:"cores"`
	Go      string    `json:"go"`
	System  string    `json:"system"`
	Results any       `json:"results"`
}

// bench is a measurement under way: a migrated ledger, and where to write.
type bench struct {
	*parts
	ledger ledgerSettings
	dir    string // for files of the servers that are measured
	out    io.Writer
	notes  io.Writer // progress
}

// run measures on a Postgres of its own, which is gone afterwards. What measure returns goes to the file.
func (o benchOutput) run(
	ctx context.Context, log *slog.Logger, command string, measure func(context.Context, *bench) (any, error),
) error {
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
	if err := o.delaySync(ctx, server.URL("postgres")); err != nil {
		return err
	}
	b, err := openBench(ctx, log, ledgerSettings{DatabaseURL: server.URL("postgres"), MasterKey: master}, dir)
	if err != nil {
		return err
	}
	defer b.close()
	b.out, b.notes = os.Stdout, os.Stderr
	fmt.Fprintf(b.out, "%s: %s, %d cores, fsync and synchronous_commit on, flush delay %s\n",
		command, time.Now().Format(time.DateOnly), runtime.NumCPU(), o.Sync)
	stop, err := o.profile()
	if err != nil {
		return err
	}
	defer stop()
	results, err := measure(ctx, b)
	if err != nil {
		return err
	}
	return o.write(command, results)
}

// delaySync has whoever flushes the log wait first, with no others at it: what a disk of that latency does, whose cache
// survives a power cut. The server itself is asked to, so that it holds for every commit of every side.
func (o benchOutput) delaySync(ctx context.Context, url string) error {
	if o.Sync == 0 {
		return nil
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("delay the flush of the log: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range []string{
		"ALTER SYSTEM SET commit_siblings = 0",
		fmt.Sprintf("ALTER SYSTEM SET commit_delay = %d", o.Sync.Microseconds()),
		"SELECT pg_reload_conf()",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("delay the flush of the log: %w", err)
		}
	}
	return nil
}

// openBench migrates the database and opens the ledger.
func openBench(ctx context.Context, log *slog.Logger, ledger ledgerSettings, dir string) (*bench, error) {
	if err := migrate(ctx, ledger.DatabaseURL, devShards); err != nil {
		return nil, err
	}
	b := &bench{parts: newParts(log), ledger: ledger, dir: dir, out: io.Discard, notes: io.Discard}
	if err := b.openLedger(ctx, ledger); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// another opens the same ledger with connections and caches of its own, as another process has it.
func (b *bench) another(ctx context.Context) (*parts, error) {
	p := newParts(b.log)
	if err := p.openLedger(ctx, b.ledger); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (o benchOutput) write(command string, results any) error {
	if o.JSON == "" {
		return nil
	}
	text, err := json.MarshalIndent(benchReport{
		Command: command, At: now(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH, Results: results,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.WriteFile(o.JSON, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}

// profile begins the CPU profile, if one is wanted.
func (o benchOutput) profile() (stop func(), err error) {
	if o.Profile == "" {
		return func() {}, nil
	}
	file, err := os.Create(o.Profile)
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
