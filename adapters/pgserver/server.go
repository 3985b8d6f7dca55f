package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	loopback = "127.0.0.1"
	// readyTimeout bounds crash recovery and start-up.
	readyTimeout = 60 * time.Second
	// connectTimeout bounds one attempt, in case a stranger listens on the port and never answers.
	connectTimeout = 5 * time.Second
	// connectInterval paces the attempts to connect to a starting server.
	connectInterval = 20 * time.Millisecond
	// maxLaunches bounds attempts that fail for a passing reason (see retryable), launchPause lies between them.
	maxLaunches = 5
	launchPause = 300 * time.Millisecond
	// staleLaunches is after how many refusals a lock file that names no server of ours is removed. Until then a killed
	// server may be a zombie that is about to be reaped, and its children are about to notice.
	staleLaunches = 3
)

// Server is a running private cluster, owned by this process.
type Server struct {
	home     *home
	proc     process
	port     int
	password string
	log      *slog.Logger
	stopping atomic.Bool
	lost     chan struct{}
}

// Start creates the cluster if there is none, starts it and returns when it accepts connections.
//
// The context bounds the start only, not the life of the server. Start fails if another living process owns the data
// folder, if no binaries can be found or downloaded (the error says what to do), or if the server does not come up.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	server, err := start(ctx, cfg, spawn)
	if err != nil {
		return nil, err
	}
	go server.watch()
	return server, nil
}

// StartDetached starts like Start, but the server outlives this process and nothing here watches or owns it: the next
// Start or StartDetached on the folder stops it. It returns the superuser URL of the database postgres.
func StartDetached(ctx context.Context, cfg Config) (url string, err error) {
	server, err := start(ctx, cfg, spawnDetached)
	if err != nil {
		return "", err
	}
	server.home.release()
	return server.URL(superuser), nil
}

func start(ctx context.Context, cfg Config, spawn spawner) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	home, err := claimHome(ctx, cfg)
	if err != nil {
		return nil, err
	}
	server, err := launch(ctx, cfg, home, spawn)
	if err != nil {
		home.release()
		return nil, err
	}
	return server, nil
}

func launch(ctx context.Context, cfg Config, h *home, spawn spawner) (*Server, error) {
	bin, password, err := prepareCluster(ctx, cfg, h)
	if err != nil {
		return nil, err
	}
	s := &Server{home: h, password: password, log: cfg.Logger, lost: make(chan struct{})}
	for attempt := 1; ; attempt++ {
		err := s.launchOnce(ctx, cfg, bin, spawn)
		if err == nil {
			return s, nil
		}
		if attempt == maxLaunches || !retryable(err, cfg) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(launchPause):
		}
		if attempt >= staleLaunches && lockRefused(err) {
			if err := h.dropStaleLock(); err != nil {
				return nil, err
			}
		}
	}
}

// prepareCluster returns the binaries and the password of a cluster that is ready to be started.
func prepareCluster(ctx context.Context, cfg Config, h *home) (binaries, string, error) {
	major, err := h.clusterMajor()
	if err != nil {
		return binaries{}, "", err
	}
	bin, err := finder{cfg: cfg, owner: h.owner, major: major}.find(ctx)
	if err != nil {
		return binaries{}, "", err
	}
	password, err := h.password()
	if err != nil {
		return binaries{}, "", err
	}
	if major == 0 {
		cfg.Logger.InfoContext(ctx, "creating a PostgreSQL cluster", "folder", h.cluster(), "version", bin.major)
		return bin, password, h.create(ctx, bin, cfg, password)
	}
	return bin, password, h.stopLeftover(ctx, cfg)
}

// launchError is a server that ended before it was ready; the text is the end of its log.
type launchError struct{ log string }

func (e *launchError) Error() string { return "the PostgreSQL server ended while starting:\n" + e.log }

// retryable tells whether another attempt may help: another program took the free port in between, or processes of a
// killed server are about to notice.
func retryable(err error, cfg Config) bool {
	var ended *launchError
	if !errors.As(err, &ended) {
		return false
	}
	return strings.Contains(ended.log, "pre-existing shared memory block") || lockRefused(err) ||
		cfg.Port == 0 && strings.Contains(ended.log, "could not bind")
}

// lockRefused tells whether PostgreSQL takes the process in its lock file for a living server. It looks at the number
// only: a zombie or another program that was given the number since looks the same to it.
func lockRefused(err error) bool {
	var ended *launchError
	return errors.As(err, &ended) && strings.Contains(ended.log, `lock file "postmaster.pid" already exists`)
}

func (s *Server) launchOnce(ctx context.Context, cfg Config, bin binaries, spawn spawner) error {
	s.port = cfg.Port
	if s.port == 0 {
		var err error
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(s.home.logPath(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of the server: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"-D", s.home.cluster(), "-p", strconv.Itoa(s.port)}
	settings := cfg.serverSettings()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	cmd := s.home.owner.prepare(exec.Command(bin.postgres(), args...))
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own, so that Ctrl-C in the terminal reaches the owner only, which then drains before it stops us.
	cmd.SysProcAttr.Setsid = true
	if s.proc, err = spawn(cmd); err != nil {
		return fmt.Errorf("run %s: %w", bin.postgres(), err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, stopPostmaster(ctx, s.proc.pid, s.proc.exited))
	}
	return nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout,
		fmt.Errorf("the PostgreSQL server was not ready after %s", readyTimeout))
	defer cancel()
	tick := time.NewTicker(connectInterval)
	defer tick.Stop()
	for {
		connErr := s.ping(ctx)
		if connErr == nil {
			return nil
		}
		// After the attempt, so that a server which ended is never mistaken for a stranger's on the same port.
		if s.proc.exited() {
			// The log is gone only if someone removed it; the error is then short.
			output, _ := os.ReadFile(s.home.logPath())
			return &launchError{log: tail(output)}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("connect to the PostgreSQL server (log: %s): %w: %w",
				s.home.logPath(), context.Cause(ctx), connErr)
		case <-tick.C:
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL(superuser))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	addr, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("find a free port: unexpected address %s", listener.Addr())
	}
	return addr.Port, nil
}

// URL returns the superuser URL of the database, password included.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, s.password),
		Host:     net.JoinHostPort(loopback, strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// PID returns the process id of the postmaster.
func (s *Server) PID() int { return s.proc.pid }

// Done returns a channel that closes if the server ends without Stop.
func (s *Server) Done() <-chan struct{} { return s.lost }

func (s *Server) watch() {
	<-s.proc.ended
	if s.stopping.Load() {
		return
	}
	s.log.Error("the PostgreSQL server ended unexpectedly", "pid", s.proc.pid, "log", s.home.logPath())
	close(s.lost)
}

// Stop shuts the server down and lets go of the data folder. It waits for a fast shutdown (bounded; cut short when ctx
// ends), then forces one, from which the next Start recovers. It is not for concurrent use; a second call does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	if err := stopPostmaster(ctx, s.proc.pid, s.proc.exited); err != nil {
		return err
	}
	s.home.release()
	return nil
}
