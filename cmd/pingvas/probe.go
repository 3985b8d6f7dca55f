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

// Bounds of the probes' server.
const (
	probeHeaderMax = 5 * time.Second
	probeDrainMax  = time.Second
)

// probeRole answers the probes of a worker's pod and serves its metrics. /ready asks whether the engine may get jobs,
// /engine whether the image server may live on.
func (p *parts) probeRole(addr string, e engine) (role, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return role{}, fmt.Errorf("listen for probes on %s: %w", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, nil) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), probeMax)
		defer cancel()
		_, err := e.Describe(ctx)
		answerProbe(w, err)
	})
	mux.HandleFunc("GET /engine", func(w http.ResponseWriter, _ *http.Request) {
		if e.alive == nil {
			answerProbe(w, nil)
			return
		}
		answerProbe(w, e.alive())
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: probeHeaderMax}
	return role{"probes", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeDrainMax)
			defer cancel()
			if server.Shutdown(drain) != nil {
				_ = server.Close()
			}
		})
		defer stop()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve probes: %w", err)
		}
		return nil
	}}, nil
}

// answerProbe says yes, or why not. Only the pod itself asks.
func answerProbe(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
