package bleve

import (
	"context"
	"fmt"
	"slices"
	"strings"

	index "github.com/blevesearch/bleve_index_api"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// batchMax is how many documents are written at once.
const batchMax = 200

// orderFormat makes the time of creation sort as text.
const orderFormat = "%020d"

// entry is a document as the index takes it.
type entry struct {
	id      domain.ImageID
	version int64
	fields  map[string]any
}

// Index implements search.Engine.
func (e *Engine) Index(ctx context.Context, docs []search.Document) error {
	entries := make([]entry, len(docs))
	for i, d := range docs {
		entries[i] = entry{id: d.Image, version: d.Version, fields: fields(d)}
	}
	return e.put(ctx, entries)
}

// Delete implements search.Engine. What is left of a document is its version.
func (e *Engine) Delete(ctx context.Context, removals []search.Removal) error {
	entries := make([]entry, len(removals))
	for i, r := range removals {
		entries[i] = entry{id: r.Image, version: r.Version, fields: map[string]any{fieldVersion: r.Version}}
	}
	return e.put(ctx, entries)
}

func fields(d search.Document) map[string]any {
	terms, singles := indexed(append([]string{d.Prompt}, d.Tags...)...)
	negative, negativeSingles := indexed(d.NegativePrompt)
	tags := make([]any, len(d.Tags))
	for i, tag := range d.Tags {
		tags[i] = strings.ToLower(tag)
	}
	return map[string]any{
		fieldAccount: string(d.Account), fieldTerms: terms, fieldSingles: singles,
		fieldNegative: negative, fieldNegativeSingles: negativeSingles, fieldTags: tags, fieldModel: d.Model,
		fieldWidth: d.Width, fieldHeight: d.Height, fieldSeed: float64(d.Seed), fieldFavourite: d.Favourite,
		fieldCreated: d.CreatedAt, fieldOrder: fmt.Sprintf(orderFormat, d.CreatedAt.UnixMicro()),
		fieldVersion: d.Version,
	}
}

func (e *Engine) put(ctx context.Context, entries []entry) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	e.write.Lock()
	defer e.write.Unlock()
	for part := range slices.Chunk(entries, batchMax) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.putBatch(part); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) putBatch(entries []entry) error {
	batch := e.index.NewBatch()
	newest := map[domain.ImageID]int64{}
	for _, put := range entries {
		known, ok := newest[put.id]
		if !ok {
			var err error
			if known, err = e.version(put.id); err != nil {
				return err
			}
		}
		newest[put.id] = max(known, put.version)
		if put.version <= known {
			continue
		}
		if err := batch.Index(string(put.id), put.fields); err != nil {
			return fmt.Errorf("index %s: %w", put.id, err)
		}
	}
	if batch.Size() == 0 {
		return nil
	}
	if err := e.index.Batch(batch); err != nil {
		return fmt.Errorf("write to the search index: %w", err)
	}
	return nil
}

// version returns the version of what is known of an image, 0 for nothing.
func (e *Engine) version(id domain.ImageID) (int64, error) {
	doc, err := e.index.Document(string(id))
	if err != nil {
		return 0, fmt.Errorf("look up %s in the search index: %w", id, err)
	}
	if doc == nil {
		return 0, nil
	}
	var version float64
	doc.VisitFields(func(f index.Field) {
		if n, ok := f.(index.NumericField); ok && f.Name() == fieldVersion {
			version, err = n.Number()
		}
	})
	if err != nil {
		return 0, fmt.Errorf("read the version of %s in the search index: %w", id, err)
	}
	return int64(version), nil
}
