package generate

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
)

// offersMax bounds the open jobs that a worker holds, some 300 bytes each. What does not fit is left to other
// workers, and offered again by the dispatcher while it is open.
const offersMax = 100_000

var _ workers.Table = (*book)(nil)

// book is the list of the open jobs of a pool. Until it has caught up it is empty to its readers: a part of the list
// would let the newest jobs go first.
type book struct {
	log *slog.Logger
	// changed gets a signal when there may be more to choose from.
	changed chan struct{}

	mu     sync.Mutex
	whole  bool
	offers map[domain.GenerationID]*bookEntry
}

type bookEntry struct {
	offer generation.Offer
	// rest is until when the job is not asked for, because it was refused.
	rest time.Time
}

func newBook(log *slog.Logger) *book {
	return &book{log: log, changed: make(chan struct{}, 1), offers: make(map[domain.GenerationID]*bookEntry)}
}

// Put implements workers.Table.
func (b *book) Put(topic, key string, value []byte) {
	o, err := decodeOffer(key, value)
	if err != nil {
		b.log.Error("an offer was ignored", slog.String("topic", topic), slog.Any("error", err))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.offers[o.Generation]
	switch {
	case known != nil && known.offer.Attempt == o.Attempt:
		known.offer = o // repeated by the dispatcher: a refusal is not forgotten
		return
	case known == nil && len(b.offers) >= offersMax:
		return
	}
	b.offers[o.Generation] = &bookEntry{offer: o}
	b.wake()
}

func decodeOffer(key string, value []byte) (generation.Offer, error) {
	var o generation.Offer
	if err := json.Unmarshal(value, &o); err != nil {
		return o, fmt.Errorf("decode the offer: %w", err)
	}
	if string(o.Generation) != key {
		return o, fmt.Errorf("the offer of %s has the key %q", o.Generation, key)
	}
	return o, o.Tier.Check()
}

// Delete implements workers.Table.
func (b *book) Delete(_, key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.offers, domain.GenerationID(key))
}

// CaughtUp implements workers.Table.
func (b *book) CaughtUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = true
	b.wake()
}

// reset empties the book before it is read anew.
func (b *book) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.whole = false
	clear(b.offers)
}

// open returns the jobs of these models that may be asked for now.
func (b *book) open(now time.Time, models map[string]bool) []generation.Offer {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.whole {
		return nil
	}
	var open []generation.Offer
	for _, e := range b.offers {
		if models[e.offer.Model] && !e.rest.After(now) {
			open = append(open, e.offer)
		}
	}
	return open
}

// refused lets jobs rest that were asked for in vain.
func (b *book) refused(jobs []generation.Offer, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range jobs {
		if e := b.offers[o.Generation]; e != nil {
			e.rest = until
		}
	}
}

// take removes a job that this worker has claimed, and lets another slot look.
func (b *book) take(id domain.GenerationID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.offers, id)
	b.wake()
}

func (b *book) wake() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}
