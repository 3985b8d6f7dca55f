package bleve

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/pingvas/pingvas/projections/search"
)

// beside is an engine whose writes go to an index of its own beside that of another engine. It ends with the process.
type beside struct {
	*Engine
	built *generation
}

var _ search.Engine = beside{}

var errGone = errors.New("the search index that was built beside the other is gone")

// Beside implements search.Engine.
func (e *Engine) Beside(context.Context) (search.Engine, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh, err := create(e.cfg, rand.Text())
	if err != nil {
		return nil, err
	}
	given := e.beside
	e.beside = fresh
	return beside{e, fresh}, given.discard(e.cfg.Dir)
}

// ID implements search.Engine.
func (b beside) ID(context.Context) (string, error) { return b.built.ID, nil }

// Clear implements search.Engine. Another index would have another id, so it must be asked for.
func (b beside) Clear(context.Context) error { return errGone }

// Index implements search.Engine.
func (b beside) Index(ctx context.Context, docs []search.Document) error {
	return b.put(ctx, b.documents(docs))
}

// Delete implements search.Engine.
func (b beside) Delete(ctx context.Context, removals []search.Removal) error {
	return b.put(ctx, b.removals(removals))
}

func (b beside) put(ctx context.Context, parts [][]entry) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.beside != b.built && b.serving != b.built {
		return errGone
	}
	return b.built.put(ctx, parts)
}

// Swap implements search.Engine.
func (b beside) Swap(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beside != b.built || b.built.ID != id {
		return nil
	}
	if err := b.built.serve(b.cfg.Dir); err != nil {
		return err
	}
	old, given := b.serving, b.building
	b.serving, b.building, b.beside = b.built, nil, nil
	return errors.Join(old.discard(b.cfg.Dir), given.discard(b.cfg.Dir))
}

// Discard implements search.Engine.
func (b beside) Discard(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beside != b.built {
		return nil
	}
	b.Engine.beside = nil
	return b.built.discard(b.cfg.Dir)
}
