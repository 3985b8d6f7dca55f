package commands_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/postgres"
)

// processEnv makes the test binary a process that runs commands instead of tests. It holds the database's URL.
const processEnv = "PINGVAS_TEST_COMMANDS"

func TestMain(m *testing.M) {
	if url, ok := os.LookupEnv(processEnv); ok {
		if err := serve(context.Background(), url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// Process runs commands that come by RPC through a pipe.
type Process struct {
	ledger *commands.Ledger
}

// Asked and Answered are what goes through the pipe.
type (
	Asked    struct{ Step step }
	Answered struct{ Reply reply }
)

// Run runs one command.
func (p *Process) Run(in Asked, out *Answered) error {
	out.Reply = in.Step.run(context.Background(), p.ledger)
	return nil
}

// pipe is the two ends of a connection to a process.
type pipe struct {
	io.Reader
	io.WriteCloser
}

// connections is how many connections to the database a process has: some for appends, some for what is read.
const connections = 8

func serve(ctx context.Context, url string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := postgres.Open(ctx, postgres.Config{Pool: pool})
	if err != nil {
		return err
	}
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	if err != nil {
		return err
	}
	ledger, err := commands.New(commands.Config{Store: store, Codec: codec, Snapshots: store})
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(&Process{ledger}); err != nil {
		return err
	}
	server.ServeCodec(jsonrpc.NewServerCodec(pipe{os.Stdin, os.Stdout})) // until the other end is closed
	return nil
}

// child is a process that runs commands.
type child struct {
	command *exec.Cmd
	client  *rpc.Client
}

// noAnswer is the code of a reply that never came.
const noAnswer domain.Code = "no answer"

// endTimeout bounds how long a process may take to end.
const endTimeout = 10 * time.Second

func spawn(t *testing.T, url string) *child {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.Command(self) // not bound to the test's context, which ends before the cleanup
	command.Env = append(os.Environ(), processEnv+"="+url)
	command.Stderr = os.Stderr
	command.WaitDelay = endTimeout
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	return &child{command, jsonrpc.NewClient(pipe{out, in})}
}

func (c *child) send(s step) reply {
	var out Answered
	if err := c.client.Call("Process.Run", Asked{s}, &out); err != nil {
		return reply{Code: noAnswer, Msg: err.Error()}
	}
	return out.Reply
}

// stop ends the process and waits for it.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.client.Close(); err != nil && !errors.Is(err, rpc.ErrShutdown) {
		t.Error(err)
	}
	if err := c.command.Wait(); err != nil {
		t.Error(err)
	}
}
