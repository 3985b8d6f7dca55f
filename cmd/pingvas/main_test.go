package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/internal/pgtest"
)

var update = flag.Bool("update", false, "write generated files anew")

func TestConfigurationIsCurrent(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	require.NoError(t, writeConfiguration(&want))
	path := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		require.NoError(t, os.WriteFile(path, want.Bytes(), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want.String(), string(have), "write it anew: go test ./cmd/pingvas -run Configuration -update")
}

func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{
		{}, {"dev"}, {"demo"}, {"api"}, {"outbox"}, {"project"}, {"dispatch"}, {"settle"}, {"schedule"}, {"work"},
		{"work", "gpu"}, {"work", "system"}, {"migrate"}, {"audit"}, {"audit", "verify"}, {"version"},
		{"bench"}, {"bench", "ledger"}, {"bench", "rest"}, {"bench", "raw"}, {"bench", "replay"}, {"bench", "cold"},
		{"bench", "share"}, {"bench", "dev"},
	} {
		var out, errOut bytes.Buffer
		require.Zero(t, run(append(command, "--help"), &out, &errOut), "%v: %s", command, errOut.String())
		require.Contains(t, out.String(), "Usage: pingvas", "%v", command)
	}
}

func TestWrongSettingsAreAllReportedAtOnce(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	code := run([]string{
		"api", "--database-url", "mysql://x", "--kafka-brokers", "nonsense", "--kafka-sasl", "magic",
		"--s3-access-key", "a", "--addr", "nowhere", "--worker-tokens", "short", "--public-url", "ftp://x",
		"--lease-min", "1h",
	}, &out, &errOut)
	require.Equal(t, 1, code)
	for _, want := range []string{
		"DATABASE_URL is not", "PINGVAS_MASTER_KEY", `"nonsense" is not host:port`, `KAFKA_SASL is "magic"`,
		"S3_ACCESS_KEY and S3_SECRET_KEY", `"nowhere" is not host:port`, "PINGVAS_WORKER_TOKENS needs", "PINGVAS_PUBLIC_URL",
		"PINGVAS_LEASE_MIN is 1h",
	} {
		require.Contains(t, errOut.String(), want)
	}
}

func TestUnknownFlagIsAnError(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	require.Equal(t, 1, run([]string{"dev", "--dta", "x"}, &out, &errOut))
	require.Contains(t, errOut.String(), "--dta")
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// runningDev is a development instance in this process, on free ports.
type runningDev struct {
	*devInstance
	stop func() error
}

func startDev(t *testing.T, dir string) *runningDev {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	dev := devCmd{Data: dir, devPorts: devPorts{Addr: "127.0.0.1:0"}, Slots: 1, Grace: 50 * time.Millisecond}
	instance, ended, err := dev.startReady(ctx, quiet())
	if err != nil {
		cancel()
		require.NoError(t, err)
	}
	d := &runningDev{devInstance: instance, stop: func() error {
		cancel()
		return <-ended
	}}
	stopped := false
	once := d.stop
	d.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		return once()
	}
	t.Cleanup(func() { _ = d.stop() })
	return d
}

func demo(t *testing.T) *demoCmd {
	t.Helper()
	return &demoCmd{
		Prompt: "눈 덮인 산, a lighthouse", Search: "산 lighthouse", Model: "flux-schnell",
		Out: filepath.Join(t.TempDir(), "demo.png"),
	}
}

// The whole job, through the public API, over a restart; then the ledger and every view verify, running or not.
func TestMainJobOverARestart(t *testing.T) {
	t.Parallel()
	dir := pgtest.DataDir(t)
	first := startDev(t, dir)
	var out bytes.Buffer
	require.NoError(t, demo(t).drive(t.Context(), first.url, &out), out.String())
	require.NoError(t, (&verifyCmd{toolSettings{Data: dir}, true}).Run(t.Context(), quiet()), "while it runs")

	mendViews(t, toolSettings{Data: dir})

	second := devCmd{Data: dir, devPorts: devPorts{Addr: "127.0.0.1:0"}, Slots: 1}
	_, err := second.start(t.Context(), quiet())
	require.ErrorIs(t, err, errInUse)
	require.NoError(t, first.stop())

	again := startDev(t, dir)
	out.Reset()
	require.NoError(t, demo(t).drive(t.Context(), again.url, &out), out.String())
	require.NoError(t, again.stop())

	require.NoError(t, (&verifyCmd{toolSettings{Data: dir}, true}).Run(t.Context(), quiet()), "while it does not run")
}
