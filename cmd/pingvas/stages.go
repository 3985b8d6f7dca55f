package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// drainMax bounds how long one stage may take to stop.
const drainMax = time.Minute

// role is a part of the program that runs until its context ends, and then drains and returns nil.
type role struct {
	name string
	run  func(ctx context.Context) error
}

// runStages runs all roles until ctx ends or one of them fails. Then the stages stop one after the other, so that a
// worker that drains still finds the API, and the API the rest.
func runStages(ctx context.Context, log *slog.Logger, stages ...[]role) error {
	failed := make(chan error, 1)
	running := make([]*stage, len(stages))
	for i, roles := range stages {
		running[i] = startStage(context.WithoutCancel(ctx), roles, failed)
	}
	var first error
	select {
	case <-ctx.Done():
	case first = <-failed:
	}
	for i, s := range running {
		if !s.stop() {
			log.Warn("a part of the program did not stop in time", "stage", i, "limit", drainMax)
		}
	}
	select {
	case err := <-failed:
		first = errors.Join(first, err)
	default:
	}
	return first
}

type stage struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func startStage(ctx context.Context, roles []role, failed chan<- error) *stage {
	ctx, cancel := context.WithCancel(ctx)
	s := &stage{cancel: cancel, done: make(chan struct{})}
	var all sync.WaitGroup
	for _, r := range roles {
		all.Go(func() {
			if err := r.run(ctx); err != nil {
				select {
				case failed <- fmt.Errorf("%s: %w", r.name, err):
				default: // the first failure stops everything; later ones follow from it
				}
			}
		})
	}
	go func() {
		all.Wait()
		close(s.done)
	}()
	return s
}

// stop returns false if the stage did not end in time.
func (s *stage) stop() bool {
	s.cancel()
	limit := time.NewTimer(drainMax)
	defer limit.Stop()
	select {
	case <-s.done:
		return true
	case <-limit.C:
		return false
	}
}
