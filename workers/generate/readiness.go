package generate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pingvas/pingvas/domain/generation"
)

// How often an engine is asked what it can do, and how long a worker holds back after failures.
const (
	describeEvery   = 30 * time.Second
	describeTimeout = 10 * time.Second
	troubleFirst    = time.Second
	troubleMax      = 30 * time.Second
)

// readiness is what the worker knows of its engine. An engine that is down must not use up the attempts of every job
// in the list, so each failure that another attempt may mend makes the worker hold back for longer.
type readiness struct {
	engine Engine

	mu     sync.Mutex
	models map[string]bool
	loaded string // the model of the last job that was done
	asked  time.Time
	wait   time.Duration
	resume time.Time
}

// accepts returns the models that the engine can run now and the one that is loaded; none while the worker holds back.
func (r *readiness) accepts(ctx context.Context, now time.Time) (map[string]bool, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case now.Before(r.resume):
		return nil, "", nil
	case r.models != nil && now.Sub(r.asked) < describeEvery:
		return r.models, r.loaded, nil
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	description, err := r.engine.Describe(ctx)
	if errors.Is(err, ErrStarting) {
		r.resume = now.Add(troubleFirst)
		return nil, "", nil
	}
	if err != nil {
		r.trouble(now)
		return nil, "", err
	}
	r.models, r.asked = make(map[string]bool, len(description.Models)), now
	for _, model := range description.Models {
		r.models[model] = true
	}
	return r.models, r.loaded, nil
}

// worked notes that a job was done.
func (r *readiness) worked(model string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded, r.wait = model, 0
}

// failed notes that an attempt failed. A failure of the request itself says nothing about the engine.
func (r *readiness) failed(f generation.Failure) {
	if !f.Retry {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble(time.Now())
}

func (r *readiness) trouble(now time.Time) {
	r.wait = min(max(2*r.wait, troubleFirst), troubleMax)
	r.resume = now.Add(r.wait)
	r.models = nil // ask again
}
