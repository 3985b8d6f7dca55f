package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// pool tries mutants on several benches at once.
type pool struct {
	root     string
	packs    []pack
	workers  int
	progress io.Writer
}

// tryAll fills in the verdicts.
func (p pool) tryAll(ctx context.Context, trials []trial) error {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return fmt.Errorf("make a folder for mutants: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	benches, err := p.benches(ctx, dir)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	next, failures := make(chan *trial), make([]error, len(benches))
	var working sync.WaitGroup
	for i, b := range benches {
		working.Go(func() {
			for t := range next {
				if t.verdict, failures[i] = b.try(within, t.mutant, t.source); failures[i] != nil {
					cancel()
					return
				}
			}
		})
	}
	p.feed(within, trials, next)
	close(next)
	working.Wait()
	return errors.Join(append(failures, ctx.Err())...)
}

// feed hands out the trials in order and tells how far it is.
func (p pool) feed(ctx context.Context, trials []trial, next chan<- *trial) {
	began := time.Now()
	for i := range trials {
		if i%progressEvery == 0 {
			_, _ = fmt.Fprintf(p.progress, "mutant %d of %d after %s\n", i, len(trials), time.Since(began).Round(time.Second))
		}
		select {
		case next <- &trials[i]:
		case <-ctx.Done():
			return
		}
	}
}

// benches makes a bench for each worker. The first runs the tests without a mutant.
func (p pool) benches(ctx context.Context, dir string) ([]*bench, error) {
	var benches []*bench
	for i := range p.workers {
		b := &bench{dir: filepath.Join(dir, strconv.Itoa(i)), root: p.root, packs: p.packs}
		if err := os.Mkdir(b.dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a folder for mutants: %w", err)
		}
		benches = append(benches, b)
	}
	timeout, err := benches[0].baseline(ctx)
	for _, b := range benches {
		b.timeout = maps.Clone(timeout)
	}
	return benches, err
}
