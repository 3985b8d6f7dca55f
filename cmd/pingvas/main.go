// Command pingvas is the whole product in one binary: every role of the credit ledger and generation backend, and the
// tools to run and audit it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line. Every flag has an environment variable; docs/configuration.md lists them.
type cli struct {
	LogLevel  string `name:"log-level" env:"PINGVAS_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"How much is logged: ${enum}."`
	LogFormat string `name:"log-format" env:"PINGVAS_LOG_FORMAT" enum:"text,json" default:"text" help:"Form of the log: ${enum}."`

	Dev      devCmd      `cmd:"" help:"Run all roles in one process on embedded Postgres, Kafka and S3 and one data folder."`
	Demo     demoCmd     `cmd:"" help:"Drive the main job through the public API, print every step, and verify the ledger."`
	API      apiCmd      `cmd:"" name:"api" help:"Serve the API and the web app, and keep the embedded search index unless there is a search server."`
	Outbox   outboxCmd   `cmd:"" help:"Publish the ledger to Kafka."`
	Project  projectCmd  `cmd:"" help:"Keep the read models up to date."`
	Dispatch dispatchCmd `cmd:"" help:"Offer open jobs to the workers."`
	Settle   settleCmd   `cmd:"" help:"Settle the results of the workers."`
	Schedule scheduleCmd `cmd:"" help:"End leases, jobs and grants whose time has run out."`
	Work     workCmd     `cmd:"" help:"Do jobs."`
	Migrate  migrateCmd  `cmd:"" help:"Create or update the ledger's database, the topics and the bucket."`
	Audit    auditCmd    `cmd:"" help:"Check the ledger."`

	Republish   republishCmd   `cmd:"" help:"Publish a part of the ledger to Kafka again, beside the outbox. Readers drop what they have seen."`
	DeadLetters deadLettersCmd `cmd:"" name:"deadletters" help:"List and replay messages that no handler could handle."`
	Projections projectionsCmd `cmd:"" help:"Show the read models and mend them."`
	Rebuild     rebuildCmd     `cmd:"" help:"Build a read model anew beside the one that is read, and swap them."`

	Bench   benchCmd   `cmd:"" help:"Measure this machine."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() {
	ballast := newBallast(heapBallast)
	code := run(os.Args[1:], os.Stdout, os.Stderr)
	runtime.KeepAlive(ballast)
	os.Exit(code)
}

// run returns the exit code: 0, or 1 for any error.
func run(args []string, out, errOut io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("pingvas"), kong.UsageOnError(), kong.Writers(out, errOut),
		kong.Description("Credits and AI images, with a ledger you can check."),
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		fmt.Fprintln(errOut, "pingvas:", err)
		return 1
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help was answered
		return exit
	}
	if err != nil {
		fmt.Fprintln(errOut, "pingvas:", err)
		return 1
	}
	// The first signal asks everything to drain; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	log, endLog := newLog(c.LogLevel, c.LogFormat, errOut)
	parsed.Bind(log)
	err = parsed.Run()
	endLog()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(errOut, "pingvas:", err)
		return 1
	}
	return 0
}

// versionCmd is `pingvas version`.
type versionCmd struct{}

// Run implements the command.
func (versionCmd) Run() error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	fmt.Println("pingvas", version)
	return nil
}
