package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// restartAfter is the pause before an ended process is started again.
const restartAfter = 200 * time.Millisecond

// program is how a process is started.
type program struct {
	name string
	path string
	args []string
	env  []string
}

// process runs a program and starts it again whenever it ends.
type process struct {
	program
	log  *os.File
	over chan struct{} // closed when it will not be started again

	mu      sync.Mutex
	cmd     *exec.Cmd
	killed  bool // the current run was killed by the test
	ending  bool
	ended   chan struct{} // closed when no run is left; replaced by each run
	own     []string      // how runs ended that nobody had killed
	lastErr error
}

// spawn starts a program in a process of its own, logging to a file named after it.
func spawn(p program, logs string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(logs, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	q := &process{program: p, log: log, over: make(chan struct{})}
	started := make(chan error, 1)
	go q.supervise(started)
	return q, <-started
}

func (p *process) supervise(started chan<- error) {
	// The death signal belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() { _ = p.log.Close() }()
	defer close(p.over)
	for first := true; ; first = false {
		cmd, err := p.start()
		if first {
			started <- err
		}
		if err != nil {
			return
		}
		if cmd == nil {
			return
		}
		err = cmd.Wait()
		if p.noteEnd(cmd, err) {
			return
		}
		time.Sleep(restartAfter)
	}
}

// start returns nil if the process was told to end in the meantime.
func (p *process) start() (*exec.Cmd, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return nil, nil
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithTest(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.killed, p.ended = cmd, false, make(chan struct{})
	fmt.Fprintf(p.log, "--- %s started, pid %d\n", stamp(), cmd.Process.Pid)
	return cmd, nil
}

func stamp() string { return time.Now().UTC().Format("15:04:05.000") }

// noteEnd returns true if the process is not to be started again.
func (p *process) noteEnd(cmd *exec.Cmd, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.log, "--- %s ended, pid %d: %v\n", stamp(), cmd.Process.Pid, cmd.ProcessState)
	if !p.killed && !p.ending {
		p.own = append(p.own, fmt.Sprintf("%s %s: %v", stamp(), p.name, cmd.ProcessState))
	}
	p.cmd, p.lastErr = nil, err
	close(p.ended)
	return p.ending
}

// signal sends a signal to the current run, and returns its process id, or 0 if there is none.
func (p *process) signal(s syscall.Signal) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	pid := p.cmd.Process.Pid
	if s == syscall.SIGKILL {
		p.killed = true
	}
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintf(p.log, "--- %s signal %v to %d: %v\n", stamp(), s, pid, err)
	}
	return pid
}

// strike signals a run as soon as there is one, and returns its process id.
func (p *process) strike(ctx context.Context, s syscall.Signal) int {
	for ctx.Err() == nil {
		if pid := p.signal(s); pid > 0 {
			return pid
		}
		time.Sleep(restartAfter / 4)
	}
	return 0
}

// stop ends the process with a signal and does not start it again. It returns an error if it does not end within the
// limit, or not in order although it was asked to.
func (p *process) stop(s syscall.Signal, limit time.Duration) error {
	p.mu.Lock()
	p.ending = true
	running := p.cmd != nil
	p.mu.Unlock()
	p.signal(syscall.SIGCONT)
	p.signal(s)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.over:
	case <-timer.C:
		p.signal(syscall.SIGKILL)
		<-p.over
		return fmt.Errorf("%s did not end within %s of %v", p.name, limit, s)
	}
	if s == syscall.SIGTERM && running && p.lastErr != nil {
		return fmt.Errorf("%s did not end in order: %w", p.name, p.lastErr)
	}
	return nil
}

// ownEnds tells how runs ended that nobody had killed.
func (p *process) ownEnds() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.own...)
}
