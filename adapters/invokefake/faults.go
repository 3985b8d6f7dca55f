package invokefake

import "time"

// Faults are what goes wrong. The zero value is a good day.
type Faults struct {
	// Created answers a batch with 201 instead of 200.
	Created bool
	// QueueRoom is how many items of a batch the queue takes, counted from 1; 0 takes all. It says nothing about it.
	QueueRoom int
	// LoseAnswers is how many batches are taken whose answer is cut off.
	LoseAnswers int
	// RefuseBatches is how many batches are refused with 422.
	RefuseBatches int
	// CancelLate lets an item that runs go on to its end in spite of a cancellation.
	CancelLate bool
	// Linger is how long the processor stays busy after a cancellation.
	Linger time.Duration
	// FailWith is the error type that the next FailItems items end with at their first step.
	FailWith  string
	FailItems int
	// Silent drops all events of the socket; NoSocket refuses it; BreakSocket closes it after so many events.
	Silent      bool
	NoSocket    bool
	BreakSocket int
	// Cached answers the next items with the picture of an earlier one, as a server does whose node cache is on.
	Cached bool
	// ImageConflicts is how often reading a picture is answered with 409.
	ImageConflicts int
	// KeepImages leaves pictures out of the deleted ones, and answers with success.
	KeepImages bool
	// Down cuts every connection.
	Down bool
}

// SetFaults changes what goes wrong from now on.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// spend reports whether a fault that happens a number of times happens now. It needs the lock.
func spend(left *int) bool {
	if *left <= 0 {
		return false
	}
	*left--
	return true
}

// Restart does what a restart does: what ran is cancelled without a word. With forget, the whole queue is empty
// afterwards, as with a database in memory.
func (s *Server) Restart(forget bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life++
	s.loaded = map[string]bool{}
	for _, i := range s.items {
		if i.Status == "in_progress" {
			i.finish("canceled")
		}
	}
	if forget {
		s.items = nil
	}
	s.closeSockets()
}
