package bleve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	index "github.com/blevesearch/bleve_index_api"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/words"
)

// batchMax is how many documents are written at once.
const batchMax = 1000

// entry is a document as the index takes it.
type entry struct {
	id      domain.ImageID
	version int64
	fields  map[string]any
}

// Index implements search.Engine.
func (e *Engine) Index(ctx context.Context, docs []search.Document) error {
	return e.put(ctx, e.documents(docs))
}

// Delete implements search.Engine.
func (e *Engine) Delete(ctx context.Context, removals []search.Removal) error {
	return e.put(ctx, e.removals(removals))
}

// documents sorts documents into partitions.
func (e *Engine) documents(docs []search.Document) [][]entry {
	parts := make([][]entry, e.cfg.Partitions)
	for _, d := range docs {
		part := e.cfg.Partition(d.Account)
		parts[part] = append(parts[part], entry{id: d.Image, version: d.Version, fields: fields(d)})
	}
	return parts
}

// removals sorts removals into partitions. What is left of a document is its version.
func (e *Engine) removals(removals []search.Removal) [][]entry {
	parts := make([][]entry, e.cfg.Partitions)
	for _, r := range removals {
		part := e.cfg.Partition(r.Account)
		rest := entry{id: r.Image, version: r.Version, fields: map[string]any{fieldVersion: r.Version}}
		parts[part] = append(parts[part], rest)
	}
	return parts
}

func fields(d search.Document) map[string]any {
	terms, singles := words.Indexed(append([]string{d.Prompt}, d.Tags...)...)
	negative, negativeSingles := words.Indexed(d.NegativePrompt)
	tags := make([]any, len(d.Tags))
	for i, tag := range d.Tags {
		tags[i] = strings.ToLower(tag)
	}
	place := search.PlaceOf(d)
	return map[string]any{
		fieldAccount: string(d.Account), fieldTerms: terms, fieldSingles: singles,
		fieldNegative: negative, fieldNegativeSingles: negativeSingles, fieldTags: tags, fieldModel: d.Model,
		fieldWidth: strconv.Itoa(d.Width), fieldHeight: strconv.Itoa(d.Height), fieldSeed: number(d.Seed),
		fieldFavourite: strconv.FormatBool(d.Favourite), fieldCreated: float64(place.Micros),
		fieldTime: timeKey(place), fieldBest: bestKey(place), fieldVersion: d.Version,
	}
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// put writes to each partition what belongs there.
func (e *Engine) put(ctx context.Context, parts [][]entry) error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.target().put(ctx, parts)
}

func (g *generation) put(ctx context.Context, parts [][]entry) error {
	for i, entries := range parts {
		for some := range slices.Chunk(entries, batchMax) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := g.parts[i].put(some); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *partition) put(entries []entry) (err error) {
	p.write.Lock()
	defer p.write.Unlock()
	known, err := p.reader()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, known.Close()) }()
	batch := p.index.NewBatch()
	newest := map[domain.ImageID]int64{}
	for _, put := range entries {
		version, ok := newest[put.id]
		if !ok {
			if version, err = versionOf(known, put.id); err != nil {
				return err
			}
		}
		newest[put.id] = max(version, put.version)
		if put.version <= version {
			continue
		}
		if err := batch.Index(string(put.id), put.fields); err != nil {
			return fmt.Errorf("index %s: %w", put.id, err)
		}
	}
	if batch.Size() == 0 {
		return nil
	}
	if err := p.index.Batch(batch); err != nil {
		return fmt.Errorf("write to the search index: %w", err)
	}
	return nil
}

// reader sees the index as it is now.
func (p *partition) reader() (index.IndexReader, error) {
	advanced, err := p.index.Advanced()
	if err != nil {
		return nil, fmt.Errorf("read the search index: %w", err)
	}
	reader, err := advanced.Reader()
	if err != nil {
		return nil, fmt.Errorf("read the search index: %w", err)
	}
	return reader, nil
}

// versionOf returns the version of what is known of an image, 0 for nothing.
func versionOf(reader index.IndexReader, id domain.ImageID) (int64, error) {
	doc, err := reader.Document(string(id))
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
