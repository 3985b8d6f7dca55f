package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/domain"
)

// benchRestCmd is `pingvas bench rest`.
type benchRestCmd struct {
	Clients []int `default:"128" help:"Numbers of clients. Each keeps one connection."`
	benchNaive
	benchRounds
	Rate int           `default:"1000" help:"Commands per second of the measurement of latency; 0 leaves it out."`
	Pace time.Duration `default:"5s" help:"Length of the measurement of latency, for each target."`
	benchOutput

	serverProfile string
}

// Run implements the command. The profile is that of our server, not of the load generator.
func (c *benchRestCmd) Run(ctx context.Context, log *slog.Logger) error {
	c.serverProfile, c.Profile = c.Profile, ""
	return c.run(ctx, log, "bench rest", c.measure)
}

// benchRestResults are both parts of the measurement.
type benchRestResults struct {
	Throughput []ledgerbench.Result  `json:"throughput"`
	Latency    []ledgerbench.Latency `json:"latency"`
}

func (c *benchRestCmd) measure(ctx context.Context, b *bench) (_ any, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	secrets, err := b.prepareREST(ctx, c.Accounts)
	if err != nil {
		return nil, err
	}
	var servers [2]*benchServer
	for i, args := range [][]string{
		{"naivehttp", "--naive-connections", strconv.Itoa(int(c.Connections))}, {"pingvas", "--cpu-profile", c.serverProfile},
	} {
		if servers[i], err = b.serve(ctx, args...); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, servers[i].stop()) }()
	}
	targets := []ledgerbench.Target{
		ledgerbench.NaiveREST(servers[0].addr), ledgerbench.OurREST(servers[1].addr, secrets),
	}
	meters, err := b.meters(ctx, servers)
	if err != nil {
		return nil, err
	}
	var results benchRestResults
	results.Throughput, err = c.compare(ctx, b, c.Clients, ledgerbench.Comparison{Targets: targets, Meter: meters})
	if err != nil {
		return nil, err
	}
	if results.Latency, err = c.latency(ctx, b, targets); err != nil {
		return nil, err
	}
	return results, verify(ctx, b.parts, false, b.out)
}

// meters reads both servers, of which only one is busy at a time.
func (b *bench) meters(ctx context.Context, servers [2]*benchServer) (*ledgerbench.Meter, error) {
	return ledgerbench.NewMeter(ctx, b.pool, servers[0].process.Process.Pid, servers[1].process.Process.Pid)
}

func (c *benchRestCmd) latency(
	ctx context.Context, b *bench, targets []ledgerbench.Target,
) ([]ledgerbench.Latency, error) {
	var all []ledgerbench.Latency
	if c.Rate == 0 {
		return nil, nil
	}
	for _, spread := range c.Spreads {
		w := ledgerbench.Workload{
			Accounts: c.Accounts, Clients: c.Clients[0], Spread: ledgerbench.Spread(spread), Round: c.Pace,
		}
		for _, t := range targets {
			if err := b.settleDown(ctx); err != nil {
				return nil, err
			}
			found, err := w.Pace(ctx, t, c.Rate)
			if err != nil {
				return nil, err
			}
			ledgerbench.PrintLatency(b.out, found)
			all = append(all, found)
		}
	}
	return all, nil
}

// settleDown has Postgres write out what the rounds before have left. Else its checkpoint, which stops commits for tens
// of milliseconds, would fall into the few seconds of whichever side is measured then.
func (b *bench) settleDown(ctx context.Context) error {
	if _, err := b.pool.Exec(ctx, "CHECKPOINT"); err != nil {
		return fmt.Errorf("have Postgres make a checkpoint: %w", err)
	}
	return nil
}

// prepareREST opens the accounts of both sides and returns the secrets of ours.
func (b *bench) prepareREST(ctx context.Context, accounts int) ([]string, error) {
	if err := (ledgerbench.Naive{Pool: b.pool}).Prepare(ctx, accounts); err != nil {
		return nil, err
	}
	return b.openAccounts(ctx, accounts)
}

// openAccounts opens the accounts of the workload and returns a secret of each.
func (p *parts) openAccounts(ctx context.Context, accounts int) ([]string, error) {
	if err := (ledgerbench.Ours{Ledger: p.ledger}).Prepare(ctx, accounts); err != nil {
		return nil, err
	}
	secrets := make([]string, accounts)
	for n := range secrets {
		id := domain.KeyID(fmt.Sprintf("%s%026d", domain.PrefixKey, n))
		var err error
		if _, secrets[n], _, err = p.vault.CreateFirst(ctx, ledgerbench.AccountID(n), id, "bench"); err != nil {
			return nil, err
		}
	}
	return secrets, nil
}

// benchServer is a process that serves one side.
type benchServer struct {
	process *exec.Cmd
	stdin   io.Closer
	addr    string
	log     string // file
}

// serveStartMax bounds the start of a server, serveStopMax its end.
const (
	serveStartMax = 30 * time.Second
	serveStopMax  = 30 * time.Second
)

// serve starts this program as the server of one side. It ends when its standard input does, so it never outlives us.
func (b *bench) serve(ctx context.Context, args ...string) (*benchServer, error) {
	target := args[0]
	s := &benchServer{log: filepath.Join(b.dir, target+".log")}
	stdout, err := s.start(ctx, b, args)
	if err != nil {
		return nil, fmt.Errorf("start the server of %s: %w", target, err)
	}
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n') // without a line it has ended: its log says why
		lines <- strings.TrimSpace(line)
	}()
	limit := time.NewTimer(serveStartMax)
	defer limit.Stop()
	select {
	case s.addr = <-lines:
	case <-limit.C:
	case <-ctx.Done():
	}
	if s.addr == "" {
		text, _ := os.ReadFile(s.log)
		return nil, errors.Join(fmt.Errorf("the server of %s did not start: %s", target, text), s.stop(), ctx.Err())
	}
	return s, nil
}

func (s *benchServer) start(ctx context.Context, b *bench, args []string) (io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	args = append([]string{"--log-level", b.logLevel(ctx), "bench", "serve"}, args...)
	s.process = exec.CommandContext(ctx, self, args...)
	s.process.Env = append(os.Environ(), "DATABASE_URL="+b.ledger.DatabaseURL, "PINGVAS_MASTER_KEY="+b.ledger.MasterKey)
	s.process.Stderr, s.process.WaitDelay = file, serveStopMax
	stdin, err := s.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	s.stdin = stdin
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return stdout, s.process.Start()
}

// logLevel is how much this process logs, and so those that it starts.
func (b *bench) logLevel(ctx context.Context) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if b.log.Enabled(ctx, level) {
			return strings.ToLower(level.String())
		}
	}
	return "error"
}

// stop ends the server.
func (s *benchServer) stop() error {
	_ = s.stdin.Close()
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("stop a server: %w", err)
	}
	return nil
}
