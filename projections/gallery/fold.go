package gallery

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/projections"
)

// fold is what a batch of events does to the rows: each row is written once, whatever happens to it within the batch.
type fold struct {
	shard    int
	requests map[domain.GenerationID]*request // made in this batch
	order    []*request                       // made, in their order
	done     map[domain.GenerationID]*completion
	settled  map[domain.GenerationID]domain.Credits
	images   []picture
	marks    map[domain.ImageID]*mark
	deleted  []string // images
	forgot   []string // generations
	shelf    shelf
}

// request is a new row.
type request struct {
	id      domain.GenerationID
	account domain.AccountID
	spec    []byte
	tags    []string
}

// completion is what a request that ended with pictures gets to know.
type completion struct {
	engine, version string
	images          int
}

// picture is a new row.
type picture struct {
	generation.Image
	of domain.GenerationID
	n  int
	at time.Time
}

// mark is what an owner has done to an image: nil leaves it as it is.
type mark struct {
	version   int64
	tags      *[]string
	favourite *bool
	rating    *int
	boards    *[]string
}

func newFold(shard int) *fold {
	return &fold{
		shard: shard, requests: map[domain.GenerationID]*request{}, done: map[domain.GenerationID]*completion{},
		settled: map[domain.GenerationID]domain.Credits{}, marks: map[domain.ImageID]*mark{},
		shelf: newShelf(),
	}
}

func (f *fold) add(e projections.Event) error {
	switch event := e.Event.(type) {
	case generation.Requested:
		return f.request(event)
	case generation.Completed:
		f.complete(event)
	case generation.Failed:
		f.forget(event.Generation)
	case generation.Cancelled:
		f.forget(event.Generation)
	case generation.Expired:
		f.forget(event.Generation)
	case generation.Claimed, generation.LeaseExtended, generation.Requeued:
	case account.CreditsSettled:
		if event.Generation != "" { // else for work that is done elsewhere
			f.settled[event.Generation] += account.Total(event.Charged)
		}
	case image.Tagged:
		tags := append([]string{}, event.Tags...)
		f.mark(event.Image, e.Version).tags = &tags
	case image.Favourited:
		f.mark(event.Image, e.Version).favourite = &event.Favourite
	case image.Rated:
		f.mark(event.Image, e.Version).rating = &event.Rating
	case image.Filed:
		boards := make([]string, len(event.Boards))
		for i, b := range event.Boards {
			boards[i] = string(b)
		}
		f.mark(event.Image, e.Version).boards = &boards
	case image.Deleted:
		f.deleted = append(f.deleted, string(event.Image))
	case library.BoardCreated, library.BoardRenamed, library.BoardDeleted, library.SearchSaved, library.SearchDeleted:
		f.shelf.add(event)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	return nil
}

func (f *fold) request(event generation.Requested) error {
	spec := event.Spec
	spec.Prompt, spec.NegativePrompt = projections.Text(spec.Prompt), projections.Text(spec.NegativePrompt)
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	r := &request{id: event.Generation, account: event.Account, spec: text, tags: spec.Tags}
	f.requests[r.id] = r
	f.order = append(f.order, r)
	return nil
}

func (f *fold) complete(event generation.Completed) {
	f.done[event.Generation] = &completion{
		engine: projections.Text(event.Engine), version: projections.Text(event.EngineVersion), images: len(event.Images),
	}
	for n, i := range event.Images {
		f.images = append(f.images, picture{i, event.Generation, n, event.At})
	}
}

func (f *fold) forget(id domain.GenerationID) { f.forgot = append(f.forgot, string(id)) }

func (f *fold) mark(id domain.ImageID, version int64) *mark {
	m := f.marks[id]
	if m == nil {
		m = &mark{}
		f.marks[id] = m
	}
	m.version = version
	return m
}
