package api

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// IDs makes ids: a prefix, then a ULID in lower case. Within one millisecond each is greater than the one before.
type IDs struct {
	now     func() time.Time
	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy
}

// NewIDs returns a source of ids for this clock.
func NewIDs(now func() time.Time) *IDs {
	return &IDs{now: now, entropy: ulid.Monotonic(rand.Reader, 0)}
}

// New returns an id with this prefix, e.g. domain.PrefixGeneration. Safe for concurrent use.
func (i *IDs) New(prefix string) string {
	var text [ulid.EncodedSize]byte
	_ = i.draw().MarshalTextTo(text[:]) // fails only for another size
	for n, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[n] = c + 'a' - 'A'
		}
	}
	return prefix + string(text[:])
}

func (i *IDs) draw() ulid.ULID {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := ulid.Timestamp(i.now())
	id, err := ulid.New(at, i.entropy)
	if err != nil { // the random part overflowed within this millisecond
		id = ulid.MustNew(at+1, i.entropy)
	}
	return id
}
