package kafkatest

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kfake"
)

// Restartable is a broker of the test's own that keeps its data and its address over a restart: Apache Kafka where the
// tests run on it by deploy/kafka/broker.sh, else one in this process.
type Restartable struct {
	Addr string
	dir  string
	stop func()
}

// NewRestartable starts one. It stops with the test.
func NewRestartable(t testing.TB) *Restartable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &Restartable{Addr: listener.Addr().String(), dir: t.TempDir()}
	require.NoError(t, listener.Close())
	r.Start(t)
	t.Cleanup(r.Stop)
	return r
}

// Stop stops the broker. It may be stopped already.
func (r *Restartable) Stop() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

// Start starts the broker again, and returns when it answers.
func (r *Restartable) Start(t testing.TB) {
	t.Helper()
	_, text, err := net.SplitHostPort(r.Addr)
	require.NoError(t, err)
	if program := os.Getenv("KAFKA_BROKER_PROGRAM"); program != "" {
		r.stop = startProgram(t, program, r.dir, text)
		return
	}
	port, err := strconv.Atoi(text)
	require.NoError(t, err)
	broker, err := kfake.New(kfake.Config{DataDir: r.dir, Port: port, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	r.stop = broker.Close
}

func startProgram(t testing.TB, program, dir, port string) (stop func()) {
	t.Helper()
	cmd := exec.Command(program, "run")
	cmd.Env = append(os.Environ(), "KAFKA_DATA="+dir, "KAFKA_PORT="+port)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	ready := lines.Scan() && strings.HasPrefix(lines.Text(), "KAFKA_BROKERS=")
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Log(fmt.Errorf("the broker ended: %w", err))
		}
	}
	if !ready {
		stop()
		require.FailNow(t, "the broker did not start")
	}
	return stop
}
