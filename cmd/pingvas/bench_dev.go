package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchDevCmd is `pingvas bench dev`.
type benchDevCmd struct {
	Minutes  int           `default:"10" help:"How long."`
	Every    time.Duration `default:"1m" help:"How often the memory is read."`
	Rate     int           `default:"1000" help:"Commands per second, through the API."`
	Clients  int           `default:"64" help:"Number of clients."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	JSON     string        `name:"json" placeholder:"FILE" help:"Write the figures to a file as JSON, too."`
}

// devMemory is one reading. Memory is in bytes, 0 where the operating system does not tell.
type devMemory struct {
	Seconds   float64             `json:"seconds"` // since the load began
	Process   int64               `json:"resident_bytes"`
	Anonymous int64               `json:"anonymous_bytes"` // of these, not of files
	Live      int64               `json:"live_bytes"`      // of the heap after the last collection, without the ballast
	Postgres  int64               `json:"postgres_bytes"`  // proportional set sizes of its processes
	Latency   ledgerbench.Latency `json:"latency"`         // since the last reading
}

// Run implements the command.
func (c *benchDevCmd) Run(ctx context.Context, log *slog.Logger) error {
	fmt.Printf("bench dev: %s, %d cores, %d commands/s for %d min\n",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), c.Rate, c.Minutes)
	readings, err := c.measure(ctx, log, os.Stdout, time.Duration(c.Minutes)*time.Minute)
	if err != nil {
		return err
	}
	return benchOutput{JSON: c.JSON}.write("bench dev", readings)
}

// measure starts pingvas dev as a process of its own, so that only it is measured, and drives it.
func (c *benchDevCmd) measure(
	ctx context.Context, log *slog.Logger, out io.Writer, lasts time.Duration,
) (_ []devMemory, err error) {
	dir, remove, err := tempFolder("bench-dev")
	if err != nil {
		return nil, err
	}
	defer remove()
	process, err := startDevProcess(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopDevProcess(process)) }()
	running, err := awaitInstance(ctx, dir)
	if err != nil {
		return nil, err
	}
	p, secrets, err := c.open(ctx, log, dir, running)
	if err != nil {
		return nil, err
	}
	defer p.close()
	meter, err := ledgerbench.NewMeter(ctx, p.pool)
	if err != nil {
		return nil, err
	}
	target := ledgerbench.OurREST(strings.TrimPrefix(running.APIURL, "http://"), secrets)
	return c.drive(ctx, out, lasts, devUnderLoad{target, process.Process.Pid, meter, running.APIURL})
}

// devUnderLoad is what is driven and read.
type devUnderLoad struct {
	target ledgerbench.Target
	pid    int
	meter  *ledgerbench.Meter
	url    string
}

func (c *benchDevCmd) drive(
	ctx context.Context, out io.Writer, lasts time.Duration, d devUnderLoad,
) ([]devMemory, error) {
	first, err := d.read(ctx, 0)
	if err != nil {
		return nil, err
	}
	first.print(out)
	readings := []devMemory{first}
	start := time.Now()
	w := ledgerbench.Workload{
		Accounts: c.Accounts, Clients: c.Clients, Spread: ledgerbench.Uniform, Round: min(c.Every, lasts),
	}
	for time.Since(start) < lasts {
		latency, err := w.Pace(ctx, d.target, c.Rate)
		if err != nil {
			return nil, err
		}
		reading, err := d.read(ctx, time.Since(start))
		if err != nil {
			return nil, err
		}
		reading.Latency = latency
		reading.print(out)
		readings = append(readings, reading)
	}
	return readings, nil
}

func (d devUnderLoad) read(ctx context.Context, at time.Duration) (devMemory, error) {
	m := devMemory{Seconds: at.Seconds()}
	m.Process, _ = ledgerbench.Resident(d.pid)
	m.Anonymous, _ = ledgerbench.Anonymous(d.pid)
	m.Postgres, _ = d.meter.PostgresMemory()
	live, err := gauge(ctx, d.url+"/metrics", liveHeapMetric)
	m.Live = int64(live) - int64(ballastBytes(heapBallast))
	return m, err
}

// gauge asks a page of metrics for one without labels.
func gauge(ctx context.Context, page, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, probeMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, fmt.Errorf("ask for metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask for metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("%s tells no %s", page, name), lines.Err())
}

func (m devMemory) print(out io.Writer) {
	fmt.Fprintf(out, "after %4.0f s: process %4d MiB resident, %4d anonymous, heap %3d live, Postgres %4d MiB",
		m.Seconds, m.Process>>20, m.Anonymous>>20, m.Live>>20, m.Postgres>>20)
	if m.Latency.Reserves > 0 {
		fmt.Fprintf(out, "; %d reserves, p50 %.1f ms, p99 %.1f ms", m.Latency.Reserves, m.Latency.P50, m.Latency.P99)
	}
	fmt.Fprintln(out)
}

// open opens the accounts of the workload in the instance's own ledger.
func (c *benchDevCmd) open(
	ctx context.Context, log *slog.Logger, dir string, running instance,
) (*parts, []string, error) {
	master, err := secretFile(dir, "master.key")
	if err != nil {
		return nil, nil, err
	}
	p := newParts(log)
	if err := p.openLedger(ctx, ledgerSettings{DatabaseURL: running.DatabaseURL, MasterKey: master}); err != nil {
		p.close()
		return nil, nil, err
	}
	secrets, err := p.openAccounts(ctx, c.Accounts)
	if err != nil {
		p.close()
		return nil, nil, err
	}
	return p, secrets, nil
}

func startDevProcess(ctx context.Context, dir string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	file, err := os.Create(filepath.Join(dir, "dev.log"))
	if err != nil {
		return nil, fmt.Errorf("create the log of the instance: %w", err)
	}
	defer func() { _ = file.Close() }()
	process := exec.CommandContext(ctx, self, "dev", "--data", dir, "--addr", "127.0.0.1:0")
	process.Stdout, process.Stderr, process.WaitDelay = file, file, serveStopMax
	process.Cancel = func() error { return process.Process.Signal(syscall.SIGTERM) }
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start pingvas dev: %w", err)
	}
	return process, nil
}

func stopDevProcess(process *exec.Cmd) error {
	_ = process.Process.Signal(syscall.SIGTERM)
	if err := process.Wait(); err != nil {
		return fmt.Errorf("stop pingvas dev: %w", err)
	}
	return nil
}

// awaitInstance waits until the instance of a data folder answers.
func awaitInstance(ctx context.Context, dir string) (instance, error) {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if running, err := readInstance(dir); err == nil && isReady(ctx, running.APIURL) {
			return running, nil
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(dir, "dev.log"))
			return instance{}, fmt.Errorf("wait until pingvas dev is ready: %w: %s", ctx.Err(), text)
		case <-tick.C:
		}
	}
}
