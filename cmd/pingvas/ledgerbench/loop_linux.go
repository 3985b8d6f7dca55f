package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// loop is a crew whose clients share one goroutine. Each is a coroutine that gives way where it waits for its answer. A
// client that is a goroutine pays for the scheduler, and for a read before there is anything to read.
type loop struct {
	poll     int
	clients  []*restClient
	conns    []*loopConn
	patience time.Duration
	working  int   // clients that are not done
	failed   error // for those that still wait at the end
}

// loopConn is a connection that Go's own poller does not watch.
type loopConn struct {
	loop   *loop
	fd     int
	wait   func(struct{}) bool
	resume func() (struct{}, bool)
	over   bool
}

func (r REST) crew(ctx context.Context, n int) (crew, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loop{poll: poll, patience: wireTimeout}
	for range n {
		if err := l.add(ctx, r); err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", r.name, err), l.close())
		}
	}
	return l, nil
}

func (l *loop) add(ctx context.Context, r REST) error {
	fd, err := dialFD(ctx, r.addr)
	if err != nil {
		return err
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(len(l.conns))}
	c := &loopConn{loop: l, fd: fd}
	l.conns = append(l.conns, c)
	l.clients = append(l.clients, &restClient{target: r, wire: newWire(c, r.addr)})
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_ADD, fd, &event))
}

// dialFD returns a copy of the descriptor of a connection: closing the connection takes it out of Go's poller.
func dialFD(ctx context.Context, addr string) (fd int, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(original uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(int(original)); failed == nil {
			syscall.CloseOnExec(fd)
		}
	})
	return fd, errors.Join(err, os.NewSyscallError("dup", failed))
}

func (l *loop) each(do func(Client)) {
	l.working, l.failed = len(l.conns), net.ErrClosed
	for i, c := range l.conns {
		resume, stop := iter.Pull(func(wait func(struct{}) bool) {
			c.wait = wait
			do(l.clients[i])
		})
		defer stop()
		c.resume, c.over = resume, false
		c.step()
	}
	if err := l.serve(); err != nil {
		l.failed = err
	}
}

// serve has the clients go on that have an answer, until all are done.
func (l *loop) serve() error {
	events := make([]syscall.EpollEvent, len(l.conns))
	heard := time.Now()
	for l.working > 0 {
		n, err := l.ready(events)
		if err != nil {
			return err
		}
		if now := time.Now(); n > 0 {
			heard = now
		} else if now.Sub(heard) > l.patience {
			return fmt.Errorf("no answer in %s", l.patience)
		}
		for _, e := range events[:n] {
			l.conns[e.Fd].step()
		}
	}
	return nil
}

// step has the client go on until it waits again, or is done.
func (c *loopConn) step() {
	if _, more := c.resume(); !more && !c.over {
		c.over = true
		c.loop.working--
	}
}

// readyMax bounds one wait for answers.
const readyMax = 100 * time.Millisecond

// ready waits for answers and says which connections have any, maybe none. The scheduler is not told that this blocks:
// for a call that it knows to block it wakes its watchdog, thousands of times a second, which costs 2 µs a command.
// When it wants the goroutine to stop, it sends a signal, which ends the wait.
func (l *loop) ready(events []syscall.EpollEvent) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(readyMax.Milliseconds()), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case syscall.EINTR:
		return 0, nil
	default:
		return 0, os.NewSyscallError("epoll_pwait", errno)
	}
}

func (l *loop) close() error {
	errs := []error{syscall.Close(l.poll)}
	for _, c := range l.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Read implements io.Reader. It is where a client waits.
func (c *loopConn) Read(p []byte) (int, error) {
	if !c.wait(struct{}{}) {
		return 0, c.loop.failed
	}
	n, err := syscall.Read(c.fd, p)
	if err != nil {
		return 0, os.NewSyscallError("read", err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements io.Writer. A request always fits into the buffer of the socket, since the one before was answered.
func (c *loopConn) Write(p []byte) (int, error) {
	n, err := syscall.Write(c.fd, p)
	if err != nil {
		return 0, os.NewSyscallError("write", err)
	}
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Close implements io.Closer.
func (c *loopConn) Close() error { return os.NewSyscallError("close", syscall.Close(c.fd)) }
