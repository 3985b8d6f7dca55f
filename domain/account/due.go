package account

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// age returns the events that time has made due at this moment and the state after them, in the order in which they
// fell due. Without any it returns the state itself, so the usual decision copies nothing.
func (s *State) age(at time.Time) ([]domain.Event, *State) {
	if s.earliest.IsZero() || s.earliest.After(at) {
		return nil, s
	}
	var events []domain.Event
	aged := s
	for {
		event, ok := aged.nextDue(at)
		if !ok {
			return events, aged
		}
		if aged == s {
			aged = s.Clone()
		}
		events = append(events, event)
		aged = Evolve(aged, event)
	}
}

// nextDue returns the event for whatever ended first at or before this time. A reservation goes before a grant that
// ends at the same instant, so that what it returns is taken back in one line; equal times go by id,
// those of grants in draw order.
func (s *State) nextDue(at time.Time) (domain.Event, bool) {
	var first *Reservation
	for _, r := range s.open {
		if !r.Expires.After(at) && (first == nil || before(r, first)) {
			first = r
		}
	}
	for _, g := range s.grants {
		if g.Available > 0 && g.Expired(at) && (first == nil || g.Expires.Before(first.Expires)) {
			return s.firstGrantDue(at, g), true
		}
	}
	if first == nil {
		return nil, false
	}
	return ReservationExpired{
		Reservation: first.ID, Generation: first.Generation, Slices: first.Slices, Expired: first.Expires, At: at,
	}, true
}

func before(a, b *Reservation) bool {
	if c := a.Expires.Compare(b.Expires); c != 0 {
		return c < 0
	}
	return a.ID < b.ID
}

func (s *State) firstGrantDue(at time.Time, first *Grant) domain.Event {
	for _, g := range s.grants {
		if g.Available > 0 && g.Expired(at) && g.Expires.Before(first.Expires) {
			first = g
		}
	}
	return GrantExpired{Grant: first.ID, Amount: first.Available, Expired: first.Expires, At: at}
}

// findEarliest recomputes the lower bound on the next due time.
func (s *State) findEarliest() {
	s.earliest = time.Time{}
	for _, g := range s.grants {
		if g.Available > 0 {
			s.mayFallDue(g.Expires)
		}
	}
	for _, r := range s.open {
		s.mayFallDue(r.Expires)
	}
}

func (s *State) mayFallDue(t time.Time) {
	if !t.IsZero() && (s.earliest.IsZero() || t.Before(s.earliest)) {
		s.earliest = t
	}
}
