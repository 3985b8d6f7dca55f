package opensearch

import (
	"context"
	"sync"
)

// refreshes lets writers that want to be seen share one refresh: those who come while one runs wait for the next, since
// it is not known whether the one that runs shows what they wrote.
type refreshes struct {
	mu   sync.Mutex
	next map[string]*refresh // by index: the one that has not begun
	turn sync.Mutex          // held while one runs
}

type refresh struct {
	once sync.Once
	err  error
}

// join returns when a refresh is over that began after the call.
func (r *refreshes) join(ctx context.Context, index string, run func(context.Context) error) error {
	r.mu.Lock()
	if r.next == nil {
		r.next = map[string]*refresh{}
	}
	mine := r.next[index]
	if mine == nil {
		mine = &refresh{}
		r.next[index] = mine
	}
	r.mu.Unlock()
	r.turn.Lock()
	defer r.turn.Unlock()
	mine.once.Do(func() {
		r.mu.Lock()
		delete(r.next, index) // whoever comes from here on waits for another one
		r.mu.Unlock()
		// It is for others, too, so it does not end with the one who happens to run it.
		mine.err = run(context.WithoutCancel(ctx))
	})
	return mine.err
}
