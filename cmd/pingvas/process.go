package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the page of metrics.
const (
	metricsHeaderMax = 5 * time.Second
	metricsWriteMax  = 30 * time.Second
)

// servesMetrics is logged with the address, which says the port where it was left to the system.
const servesMetrics = "the metrics are served"

// processSettings are for roles that have no API of their own.
type processSettings struct {
	MetricsAddr string `name:"metrics-addr" env:"PINGVAS_METRICS_ADDR" placeholder:"HOST:PORT" help:"Address that /metrics is served on, for Prometheus; empty for none. The API serves its own."`
}

func (s processSettings) errors() []error {
	if s.MetricsAddr == "" {
		return nil
	}
	return checkHostPort("PINGVAS_METRICS_ADDR", s.MetricsAddr)
}

// metricsRole serves the metrics of this process.
func (p *parts) metricsRole(s processSettings) (role, error) {
	listener, err := net.Listen("tcp", s.MetricsAddr)
	if err != nil {
		return role{}, fmt.Errorf("listen on %s: %w", s.MetricsAddr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: metricsHeaderMax, WriteTimeout: metricsWriteMax}
	return role{"metrics", func(ctx context.Context) error {
		p.log.InfoContext(ctx, servesMetrics, "addr", listener.Addr().String())
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the metrics: %w", err)
		}
		return nil
	}}, nil
}
