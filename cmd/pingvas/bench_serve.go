package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/pingvas/pingvas/adapters/kfake"
	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// benchServeCmd is `pingvas bench serve`: one side of `bench rest`, or a broker, in a process of its own.
type benchServeCmd struct {
	Target string `arg:"" enum:"naivehttp,pingvas,broker" help:"What: ${enum}."`
	ledgerSettings
	benchNaive
	Profile string `name:"cpu-profile" help:"Write a CPU profile to a file."`
}

// Run implements the command. It serves until its standard input ends.
func (c *benchServeCmd) Run(ctx context.Context, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it is the end
		cancel()
	}()
	if c.Target == "broker" {
		return serveBroker(ctx, log)
	}
	p := newParts(log)
	defer p.close()
	serve, err := c.server(ctx, p)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println(listener.Addr())
	stop, err := benchOutput{Profile: c.Profile}.profile()
	if err != nil {
		return err
	}
	defer stop()
	return serve(listener)
}

// server opens what the side needs, and no more.
func (c *benchServeCmd) server(ctx context.Context, p *parts) (func(net.Listener) error, error) {
	if c.Target == "naivehttp" {
		naive, err := c.open(ctx, c.DatabaseURL)
		if err != nil {
			return nil, err
		}
		p.onClose(naive.Pool.Close)
		return func(l net.Listener) error { return serveNaive(ctx, naive, l) }, nil
	}
	if err := p.openLedger(ctx, c.ledgerSettings); err != nil {
		return nil, err
	}
	return func(l net.Listener) error { return serveAPI(ctx, p, l) }, nil
}

// serveBroker serves Kafka for the measurements that need a broker, with data that end with it.
func serveBroker(ctx context.Context, log *slog.Logger) error {
	dir, remove, err := tempFolder("bench-broker")
	if err != nil {
		return err
	}
	defer remove()
	broker, err := kfake.New(kfake.Config{DataDir: dir, Logger: log})
	if err != nil {
		return err
	}
	defer broker.Close()
	fmt.Println(broker.Addr())
	<-ctx.Done()
	return nil
}

func serveNaive(ctx context.Context, naive ledgerbench.Naive, listener net.Listener) error {
	server := http.Server{Handler: naive.Handler()}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// serveAPI serves the API as `pingvas api` does, only without what keeps the search index: no request here needs Kafka
// or the picture store.
func serveAPI(ctx context.Context, p *parts, listener net.Listener) error {
	p.ballast = newBallast(apiBallast)
	q, err := p.newQueries(nil, nil)
	if err != nil {
		return err
	}
	server, err := p.newAPI(apiSettings{}, q, api.NewHub())
	if err != nil {
		return err
	}
	return server.Serve(ctx, listener)
}
