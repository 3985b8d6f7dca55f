package searchtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// Memory is an engine for tests of what uses engines: it knows owners, tags and texts that contain the words as
// they are, and leaves other filters and facets out. It answers nothing while an index is built. It does not pass Run.
type Memory struct {
	mu       sync.Mutex
	epoch    int
	docs     map[domain.ImageID]search.Document // what is written to
	versions map[domain.ImageID]int64
	swapped  int // epoch of what answers; 0 for none
	down     error
	besides  int     // how many were begun
	of       *Memory // that this one was begun beside; nil for none
}

// besideEpochs is how far apart the epochs are of those that are built beside each other.
const besideEpochs = 1000

var _ search.Engine = (*Memory)(nil)

// ID implements search.Engine.
func (m *Memory) ID(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id(), m.down
}

// Clear implements search.Engine.
func (m *Memory) Clear(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.docs, m.versions = map[domain.ImageID]search.Document{}, map[domain.ImageID]int64{}
	return m.down
}

// Swap implements search.Engine.
func (m *Memory) Swap(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil || id != m.id() {
		return m.down
	}
	m.swapped = m.epoch
	if m.of != nil {
		m.of.take(m)
	}
	return nil
}

// take puts the contents of another in place of its own. The other must not be written to any more.
func (m *Memory) take(from *Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch, m.swapped = from.epoch, from.epoch
	m.docs, m.versions = maps.Clone(from.docs), maps.Clone(from.versions)
}

func (m *Memory) id() string { return "memory-" + strconv.Itoa(m.epoch) }

// Beside implements search.Engine.
func (m *Memory) Beside(ctx context.Context) (search.Engine, error) {
	m.mu.Lock()
	m.besides++
	beside := &Memory{epoch: m.epoch + m.besides*besideEpochs, of: m}
	m.mu.Unlock()
	return beside, beside.Clear(ctx)
}

// Discard implements search.Engine.
func (m *Memory) Discard(context.Context) error { return nil }

// Swapped reports whether what is written to is what answers.
func (m *Memory) Swapped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.swapped == m.epoch && m.epoch > 0
}

// Lose empties the index behind the view's back.
func (m *Memory) Lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.docs, m.versions = nil, nil
}

// Fail makes every call return this error until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// Index implements search.Engine.
func (m *Memory) Index(_ context.Context, docs []search.Document) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range docs {
		if m.down == nil && m.versions[d.Image] < d.Version {
			m.docs[d.Image], m.versions[d.Image] = d, d.Version
		}
	}
	return m.down
}

// Delete implements search.Engine.
func (m *Memory) Delete(_ context.Context, removals []search.Removal) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range removals {
		if m.down == nil && m.versions[r.Image] < r.Version {
			m.versions[r.Image] = r.Version
			delete(m.docs, r.Image)
		}
	}
	return m.down
}

// Search implements search.Engine. Newest come first; Next is a number.
func (m *Memory) Search(_ context.Context, q search.Query) (search.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.swapped != m.epoch || m.epoch == 0 {
		return search.Result{}, search.Unbuilt()
	}
	var hits []search.Document
	for _, d := range m.docs {
		missing := slices.ContainsFunc(q.Tags, func(tag string) bool { return !slices.Contains(d.Tags, tag) })
		if d.Account == q.Account && strings.Contains(d.Prompt, q.Words) && !missing {
			hits = append(hits, d)
		}
	}
	slices.SortFunc(hits, func(a, b search.Document) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.Image, a.Image))
	})
	result := search.Result{Total: int64(len(hits))}
	from, _ := strconv.Atoi(q.After)
	to := min(from+q.Limit, len(hits))
	for _, d := range hits[min(from, to):to] {
		result.Images = append(result.Images, d.Image)
	}
	if to < len(hits) {
		result.Next = strconv.Itoa(to)
	}
	return result, m.down
}

// Documents returns what is in the index.
func (m *Memory) Documents() map[domain.ImageID]search.Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.docs)
}
