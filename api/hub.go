package api

import (
	"sync"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// Hub tells the streams of this process what happens to a generation. Whoever reads the topics feeds it. It never
// waits for a reader: of progress a slow reader gets the newest frame only, and that something changed stays noted
// until it is read. Its methods are safe for concurrent use.
type Hub struct {
	mu      sync.Mutex
	readers map[domain.GenerationID]map[*subscription]struct{}
}

// NewHub returns a hub without readers.
func NewHub() *Hub {
	return &Hub{readers: map[domain.GenerationID]map[*subscription]struct{}{}}
}

// Progress passes a frame on.
func (h *Hub) Progress(p generation.Progress) {
	h.each(p.Generation, func(s *subscription) { s.progress = &p })
}

// Changed says that the generation has new events.
func (h *Hub) Changed(id domain.GenerationID) {
	h.each(id, func(s *subscription) { s.changed = true })
}

func (h *Hub) each(id domain.GenerationID, note func(*subscription)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.readers[id] {
		note(s)
		select {
		case s.wake <- struct{}{}:
		default: // it has not read the last call yet
		}
	}
}

// subscription is one reader's place in the hub. The hub's lock guards what is noted.
type subscription struct {
	hub      *Hub
	id       domain.GenerationID
	wake     chan struct{}
	changed  bool
	progress *generation.Progress
}

func (h *Hub) subscribe(id domain.GenerationID) *subscription {
	s := &subscription{hub: h, id: id, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers[id] == nil {
		h.readers[id] = map[*subscription]struct{}{}
	}
	h.readers[id][s] = struct{}{}
	return s
}

// take returns what was noted since the last call.
func (s *subscription) take() (changed bool, progress *generation.Progress) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	changed, progress = s.changed, s.progress
	s.changed, s.progress = false, nil
	return changed, progress
}

// close gives the place up.
func (s *subscription) close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	delete(s.hub.readers[s.id], s)
	if len(s.hub.readers[s.id]) == 0 {
		delete(s.hub.readers, s.id)
	}
}
