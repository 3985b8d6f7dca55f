package projections

import (
	"sync"
)

// Signal tells readers in the same process that views have moved on. The zero value is ready.
type Signal struct {
	mu    sync.Mutex
	moved chan struct{}
}

// next returns a channel that is closed at the next move.
func (s *Signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	return s.moved
}

func (s *Signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}
