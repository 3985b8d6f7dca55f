package bleve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// PartitionsMax bounds the partitions of an index: each has files and goroutines of its own.
const PartitionsMax = 64

// Config is what Open needs.
type Config struct {
	// Dir is the folder of the indexes, which belongs to the engine alone. Empty means in memory.
	Dir string
	// Partitions is how many an index has; 0 means 1.
	Partitions int
	// Partition returns where an account lies, from 0 to Partitions-1, always the same; nil means 0. Writes are fastest
	// where a batch goes to one partition.
	Partition func(domain.AccountID) int
	// Log gets what an operator should see; nil discards it.
	Log *slog.Logger
}

// Engine is a search engine on an index, and on one that is built beside it now and then.
type Engine struct {
	cfg Config

	mu       sync.RWMutex // written while indexes are exchanged
	serving  *generation  // nil as long as none answers
	building *generation  // nil if what answers is what is written to
	beside   *generation  // of Beside; nil for none
}

var _ search.Engine = (*Engine)(nil)

// Open opens what is there, or makes a new index, which answers nothing until it is swapped in. It returns an error if
// another process holds the folder, or it cannot be used.
func Open(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Partitions == 0 {
		cfg.Partitions = 1
	}
	if cfg.Partition == nil {
		cfg.Partition = func(domain.AccountID) int { return 0 }
	}
	if cfg.Partitions < 0 || cfg.Partitions > PartitionsMax {
		return nil, fmt.Errorf("%d partitions of a search index are not between 1 and %d", cfg.Partitions, PartitionsMax)
	}
	e := &Engine{cfg: cfg}
	if cfg.Dir != "" {
		if err := os.MkdirAll(cfg.Dir, folderMode); err != nil {
			return nil, fmt.Errorf("create the folder of the search index: %w", err)
		}
		if err := e.openKept(); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	if e.target() != nil {
		return e, nil
	}
	var err error
	if e.building, err = create(cfg, rand.Text()); err != nil {
		return nil, err
	}
	return e, nil
}

// openKept opens the newest index that has answered and the newest that has not, and removes all others.
func (e *Engine) openKept() error {
	kept, err := list(e.cfg.Dir)
	if err != nil {
		return err
	}
	for _, m := range kept {
		place := &e.building
		if m.Served > 0 {
			place = &e.serving
		}
		// The newest come first. What was built before that which answers was given up.
		if *place == nil && (m.Served > 0 || e.serving == nil || m.Created > e.serving.Created) {
			g, err := open(e.cfg, m)
			if errors.Is(err, errInUse) {
				return err
			}
			if err == nil {
				*place = g
				continue
			}
			e.cfg.Log.Warn("a search index cannot be used and is made anew", slog.Any("error", err))
		}
		if err := m.remove(e.cfg.Dir); err != nil {
			return err
		}
	}
	return removeOthers(e.cfg.Dir)
}

// target returns what is written to.
func (e *Engine) target() *generation {
	if e.building != nil {
		return e.building
	}
	return e.serving
}

// Close releases the indexes. Nothing may be called after it.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.serving.close(), e.building.close(), e.beside.discard(e.cfg.Dir))
}

// ID implements search.Engine.
func (e *Engine) ID(context.Context) (string, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.target().ID, nil
}

// Clear implements search.Engine.
func (e *Engine) Clear(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh, err := create(e.cfg, rand.Text())
	if err != nil {
		return err
	}
	given := e.building
	e.building = fresh
	return given.discard(e.cfg.Dir)
}

// Swap implements search.Engine.
func (e *Engine) Swap(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.building == nil || e.building.ID != id {
		return nil
	}
	if err := e.building.serve(e.cfg.Dir); err != nil {
		return err
	}
	old := e.serving
	e.serving, e.building = e.building, nil
	return old.discard(e.cfg.Dir)
}

// Discard implements search.Engine.
func (e *Engine) Discard(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.serving == nil {
		return nil // something must be written to
	}
	given := e.building
	e.building = nil
	return given.discard(e.cfg.Dir)
}
