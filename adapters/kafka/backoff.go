package kafka

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff yields growing pauses between attempts.
type backoff struct {
	min, max time.Duration
	last     time.Duration
}

// next doubles the pause up to the maximum and takes off up to a quarter at random, so that many readers that lost
// the same broker do not come back at the same moment.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, b.min), b.max)
	return b.last - rand.N(b.last/4+1)
}

func (b *backoff) reset() { b.last = 0 }

// pause waits and tells whether the time passed before the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
