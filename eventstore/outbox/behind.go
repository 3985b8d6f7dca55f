package outbox

import (
	"sync"
	"time"
)

// behind is how far a shard is from its head. The shard and the watcher share it, so that a shard which can do nothing
// is seen to fall behind.
type behind struct {
	mu        sync.Mutex
	pos, head int64
	oldest    time.Time // when the first event after pos was recorded, or noticed; zero if there is none
}

// head notes where the ledger ends.
func (b *behind) noteHead(head int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = head
	if b.head > b.pos && b.oldest.IsZero() {
		b.oldest = time.Now()
	}
}

// noteNext notes when the event after the position was recorded.
func (b *behind) noteNext(recorded time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.oldest = recorded
}

// notePos notes up to where everything is published.
func (b *behind) notePos(pos int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pos = pos
	if b.pos >= b.head {
		b.oldest = time.Time{}
	} else if b.oldest.IsZero() {
		b.oldest = time.Now()
	}
}

func (b *behind) report(m Metrics, shard int) {
	b.mu.Lock()
	events, age := max(b.head-b.pos, 0), time.Duration(0)
	if events > 0 {
		age = max(time.Since(b.oldest), 0)
	}
	b.mu.Unlock()
	m.Lag(shard, events, age)
}
