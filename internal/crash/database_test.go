package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pingvas/pingvas/adapters/pgserver"
)

const (
	databaseStartMax = time.Minute
	databaseStopMax  = 20 * time.Second
)

// database is a Postgres with all durability on, at one port for all its lives.
type database struct {
	config pgserver.Config
	mu     sync.Mutex // held while it is down
	server *pgserver.Server
}

func startDatabase(ctx context.Context, config pgserver.Config) (*database, error) {
	d := &database{config: config}
	return d, d.start(ctx)
}

func (d *database) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, databaseStartMax)
	defer cancel()
	var err error
	d.server, err = pgserver.Start(ctx, d.config)
	return err
}

func (d *database) url() string { return d.server.URL("postgres") }

// crash kills the server and all its processes at once, and starts it again after the outage. It calls killed with the
// process id when they are dead.
func (d *database) crash(ctx context.Context, outage time.Duration, killed func(pid int)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	pid := d.server.PID()
	// Stopped first, so that it starts no process that the list does not have.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop Postgres: %w", err)
	}
	children, err := childrenOf(pid)
	if err != nil {
		return err
	}
	for _, each := range append(children, pid) {
		if err := syscall.Kill(each, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d of Postgres: %w", each, err)
		}
	}
	killed(pid)
	if err := d.server.Stop(ctx); err != nil { // lets go of the folder
		return err
	}
	time.Sleep(outage)
	return d.start(ctx)
}

// killBackend kills one of the server's processes. Postgres then ends all sessions and recovers by itself.
func (d *database) killBackend(choose func(n int) int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	children, err := childrenOf(d.server.PID())
	if err != nil || len(children) == 0 {
		return 0, err
	}
	victim := children[choose(len(children))]
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return 0, fmt.Errorf("kill backend %d: %w", victim, err)
	}
	return victim, nil
}

// pause stops all processes of the server for a while. It calls paused with the process id when they stand still.
func (d *database) pause(length time.Duration, paused func(pid int)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	pid := d.server.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("pause Postgres: %w", err)
	}
	children, err := childrenOf(pid)
	for _, child := range children {
		_ = syscall.Kill(child, syscall.SIGSTOP) // it may have ended since
	}
	paused(pid)
	time.Sleep(length)
	for _, each := range append(children, pid) {
		_ = syscall.Kill(each, syscall.SIGCONT)
	}
	return err
}

func (d *database) stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), databaseStopMax)
	defer cancel()
	return d.server.Stop(ctx)
}

// childrenOf returns the processes that a process has started.
func childrenOf(pid int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 { // no Linux
		out, _ := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output() // fails if there are none
		return parseInts(strings.Fields(string(out)))
	}
	var children []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …, where the name may hold anything.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", path, err)
			}
			children = append(children, child)
		}
	}
	return children, nil
}

func parseInts(fields []string) ([]int, error) {
	out := make([]int, len(fields))
	for i, field := range fields {
		var err error
		if out[i], err = strconv.Atoi(field); err != nil {
			return nil, fmt.Errorf("read a process id: %w", err)
		}
	}
	return out, nil
}
