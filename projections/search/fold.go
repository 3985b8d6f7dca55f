package search

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/projections"
)

// draft is an open generation: what the documents of its images will say.
type draft struct {
	Generation domain.GenerationID
	Account    domain.AccountID
	Prompt     string
	Negative   string
	Tags       []string
	Model      string
}

// folding is what a batch makes of the rows that it touches. Most generations of a rebuild end in the batch in which
// they begin, and then there never is a row for their draft.
type folding struct {
	shard  int
	drafts map[domain.GenerationID]draft
	docs   map[domain.ImageID]Document
	// What the tables held before, of that.
	oldDrafts map[domain.GenerationID]draft
	oldDocs   map[domain.ImageID]Document
	removed   []Removal
}

// fold applies a batch to the rows.
func fold(ctx context.Context, tx pgx.Tx, batch []projections.Event) (*folding, error) {
	f := &folding{}
	if len(batch) == 0 {
		return f, nil
	}
	f.shard = batch[0].Shard
	if err := f.load(ctx, tx, batch); err != nil {
		return nil, err
	}
	for _, e := range batch {
		if err := f.apply(e); err != nil {
			return nil, err
		}
	}
	return f, f.store(ctx, tx)
}

const (
	sqlDrafts = `SELECT generation, account, prompt, negative, tags, model FROM drafts WHERE generation = ANY($1)`
	sqlDocs   = `SELECT image, account, prompt, negative, tags, model, width, height, seed, created_at, favourite, version
		FROM documents WHERE image = ANY($1)`
)

// load reads what the batch refers to and does not begin itself.
func (f *folding) load(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	generations, images := references(batch)
	f.oldDrafts, f.oldDocs = map[domain.GenerationID]draft{}, map[domain.ImageID]Document{}
	if len(generations) > 0 {
		// Query reports its error through the rows.
		rows, _ := tx.Query(ctx, sqlDrafts, generations)
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[draft])
		if err != nil {
			return fmt.Errorf("read the open generations: %w", err)
		}
		for _, d := range found {
			f.oldDrafts[d.Generation] = d
		}
	}
	if len(images) > 0 {
		rows, _ := tx.Query(ctx, sqlDocs, images)
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Document])
		if err != nil {
			return fmt.Errorf("read the documents: %w", err)
		}
		for _, d := range found {
			f.oldDocs[d.Image] = d
		}
	}
	f.drafts, f.docs = maps.Clone(f.oldDrafts), maps.Clone(f.oldDocs)
	return nil
}

func references(batch []projections.Event) (generations []domain.GenerationID, images []domain.ImageID) {
	begun, made := map[domain.GenerationID]bool{}, map[domain.ImageID]bool{}
	ended := func(id domain.GenerationID) {
		if !begun[id] {
			generations = append(generations, id)
		}
	}
	changed := func(id domain.ImageID) {
		if !made[id] {
			images = append(images, id)
		}
	}
	for _, e := range batch {
		switch event := e.Event.(type) {
		case generation.Requested:
			begun[event.Generation] = true
		case generation.Completed:
			ended(event.Generation)
			for _, i := range event.Images {
				made[i.Image] = true
			}
		case generation.Failed:
			ended(event.Generation)
		case generation.Cancelled:
			ended(event.Generation)
		case generation.Expired:
			ended(event.Generation)
		case image.Tagged:
			changed(event.Image)
		case image.Favourited:
			changed(event.Image)
		case image.Deleted:
			changed(event.Image)
		}
	}
	return generations, images
}

// apply folds one event.
func (f *folding) apply(e projections.Event) error {
	switch event := e.Event.(type) {
	case generation.Requested:
		spec := event.Spec
		f.drafts[event.Generation] = draft{
			Generation: event.Generation, Account: event.Account, Prompt: projections.Text(spec.Prompt),
			Negative: projections.Text(spec.NegativePrompt), Tags: append([]string{}, spec.Tags...), Model: spec.Model,
		}
		return nil
	case generation.Completed:
		return f.complete(event, e.Pos)
	case generation.Failed:
		return f.end(event.Generation)
	case generation.Cancelled:
		return f.end(event.Generation)
	case generation.Expired:
		return f.end(event.Generation)
	case generation.Claimed, generation.LeaseExtended, generation.Requeued, image.Rated, image.Filed:
		return nil
	case image.Tagged:
		return f.change(event.Image, e.Pos, func(d *Document) { d.Tags = append([]string{}, event.Tags...) })
	case image.Favourited:
		return f.change(event.Image, e.Pos, func(d *Document) { d.Favourite = event.Favourite })
	case image.Deleted:
		f.removed = append(f.removed, Removal{Image: event.Image, Account: event.Account, Version: e.Pos})
		_, known := f.docs[event.Image]
		delete(f.docs, event.Image)
		return missed(known, "the image", string(event.Image))
	}
	return fmt.Errorf("the view does not know %T", e.Event)
}

// missed is the error for what the view should know of and does not.
func missed(known bool, what, id string) error {
	if known {
		return nil
	}
	return fmt.Errorf("the view does not know %s %s: it has missed an event", what, id)
}

func (f *folding) end(id domain.GenerationID) error {
	_, known := f.drafts[id]
	delete(f.drafts, id)
	return missed(known, "the generation", string(id))
}

func (f *folding) complete(event generation.Completed, pos int64) error {
	d := f.drafts[event.Generation]
	for _, i := range event.Images {
		f.docs[i.Image] = Document{
			Image: i.Image, Account: d.Account, Prompt: d.Prompt, NegativePrompt: d.Negative, Tags: d.Tags, Model: d.Model,
			Width: i.Width, Height: i.Height, Seed: i.Seed, CreatedAt: event.At, Version: pos,
		}
	}
	return f.end(event.Generation)
}

func (f *folding) change(id domain.ImageID, pos int64, change func(*Document)) error {
	d, known := f.docs[id]
	change(&d)
	d.Version = pos
	f.docs[id] = d
	return missed(known, "the image", string(id))
}

// indexed returns the documents that changed, in a steady order.
func (f *folding) indexed() []Document {
	var docs []Document
	for _, id := range slices.Sorted(maps.Keys(f.docs)) {
		if d := f.docs[id]; d.Version != f.oldDocs[id].Version {
			docs = append(docs, d)
		}
	}
	return docs
}

const (
	sqlDraft = `INSERT INTO drafts (shard, generation, account, prompt, negative, tags, model)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	sqlForget   = `DELETE FROM drafts WHERE generation = $1`
	sqlDocument = `INSERT INTO documents (shard, image, account, prompt, negative, tags, model, width, height, seed,
		created_at, favourite, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlChange = `UPDATE documents SET tags = $2, favourite = $3, version = $4 WHERE image = $1`
	sqlDelete = `DELETE FROM documents WHERE image = $1`
)

// store writes what is another than it was.
func (f *folding) store(ctx context.Context, tx pgx.Tx) error {
	var w projections.Writes
	for _, id := range slices.Sorted(maps.Keys(f.drafts)) {
		if _, old := f.oldDrafts[id]; !old {
			d := f.drafts[id]
			w.AddOne(sqlDraft, f.shard, d.Generation, d.Account, d.Prompt, d.Negative, d.Tags, d.Model)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.oldDrafts)) {
		if _, open := f.drafts[id]; !open {
			w.AddOne(sqlForget, id)
		}
	}
	for _, d := range f.indexed() {
		if _, old := f.oldDocs[d.Image]; old {
			w.AddOne(sqlChange, d.Image, d.Tags, d.Favourite, d.Version)
			continue
		}
		w.AddOne(sqlDocument, f.shard, d.Image, d.Account, d.Prompt, d.NegativePrompt, d.Tags, d.Model, d.Width, d.Height,
			d.Seed, d.CreatedAt, d.Favourite, d.Version)
	}
	for _, id := range slices.Sorted(maps.Keys(f.oldDocs)) {
		if _, there := f.docs[id]; !there {
			w.AddOne(sqlDelete, id)
		}
	}
	return w.Run(ctx, tx)
}
