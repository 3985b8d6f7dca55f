package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// fastStopWait is how long a server may roll back, write its checkpoint and end.
	fastStopWait = 15 * time.Second
	// immediateStopWait is for an immediate shutdown, which recovers at the next start.
	immediateStopWait = 5 * time.Second
	killWait          = 5 * time.Second
	// pollInterval paces waiting for processes that no channel reports on.
	pollInterval = 10 * time.Millisecond
)

// process is a postmaster that this process started.
type process struct {
	pid    int
	exited func() bool
	// ended closes once the postmaster is reaped; nil for a detached one.
	ended <-chan struct{}
}

// spawner starts a postmaster: spawn or spawnDetached.
type spawner func(*exec.Cmd) (process, error)

// spawn starts cmd tied to this process.
func spawn(cmd *exec.Cmd) (process, error) {
	dieWithOwner(cmd.SysProcAttr)
	started := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		// The death signal goes off when the starting thread ends, so this goroutine keeps its thread until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		// How a server ended is in its log; that it ended is what matters here.
		_ = cmd.Wait()
		close(ended)
	}()
	if err := <-started; err != nil {
		return process{}, err
	}
	exited := func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	}
	return process{pid: cmd.Process.Pid, exited: exited, ended: ended}, nil
}

// spawnDetached starts cmd so that it outlives this process and needs no goroutine in it.
func spawnDetached(cmd *exec.Cmd) (process, error) {
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return process{}, err
	}
	exited := func() bool {
		reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		return reaped == pid || errors.Is(err, syscall.ECHILD)
	}
	return process{pid: pid, exited: exited}, nil
}

// stopPostmaster asks for a fast shutdown, then an immediate one, then kills; a cancelled ctx skips to the latter.
func stopPostmaster(ctx context.Context, pid int, gone func() bool) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
		cut    <-chan struct{}
	}{
		{syscall.SIGINT, fastStopWait, ctx.Done()},
		{syscall.SIGQUIT, immediateStopWait, nil},
		{syscall.SIGKILL, killWait, nil},
	} {
		if gone() {
			return nil
		}
		if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the PostgreSQL server %d: %w", pid, err)
		}
		if waitGone(gone, step.wait, step.cut) {
			return nil
		}
	}
	return fmt.Errorf("stop the PostgreSQL server %d: it is still there after SIGKILL", pid)
}

func waitGone(gone func() bool, limit time.Duration, cut <-chan struct{}) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if gone() {
				return true
			}
		case <-deadline:
			return gone()
		case <-cut:
			return gone()
		}
	}
}

// stopLeftover stops the server that an owner which died has left running on the cluster.
func (h *home) stopLeftover(ctx context.Context, cfg Config) error {
	pid, dir := h.lockedBy()
	gone := func() bool { return !isPostmaster(pid, dir) }
	if pid == 0 || gone() {
		return nil
	}
	cfg.Logger.WarnContext(ctx, "stopping the PostgreSQL server that a previous run left behind", "pid", pid)
	return stopPostmaster(ctx, pid, gone)
}

// lockedBy returns the process and the folder in PostgreSQL's lock file, or 0 if it names none.
func (h *home) lockedBy() (pid int, dir string) {
	lines, err := os.ReadFile(h.lockPath())
	if err != nil {
		// No such file, no server; any other trouble with it is PostgreSQL's to report.
		return 0, ""
	}
	pidLine, rest, _ := bytes.Cut(lines, []byte("\n"))
	dirLine, _, _ := bytes.Cut(rest, []byte("\n"))
	pid, err = strconv.Atoi(strings.TrimSpace(string(pidLine)))
	if err != nil || pid <= 1 {
		return 0, ""
	}
	return pid, string(dirLine)
}

// dropStaleLock removes PostgreSQL's lock file unless the server that it names lives.
func (h *home) dropStaleLock() error {
	if pid, dir := h.lockedBy(); pid == 0 || isPostmaster(pid, dir) {
		return nil
	}
	if err := os.Remove(h.lockPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the lock file of a PostgreSQL server that is gone: %w", err)
	}
	return nil
}

func (h *home) lockPath() string { return filepath.Join(h.cluster(), "postmaster.pid") }

// isPostmaster guards against a process id that was given to another program meanwhile. A zombie has no arguments and
// so counts as gone, which matters in containers whose first process does not reap.
func isPostmaster(pid int, dir string) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return false
	}
	args, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
		defer cancel()
		args, err = exec.CommandContext(ctx, "ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			return false
		}
	}
	line := string(bytes.ReplaceAll(args, []byte{0}, []byte(" "))) + " "
	return strings.Contains(line, "postgres ") && strings.Contains(line, "-D "+dir+" ")
}
