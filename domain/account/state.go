package account

import (
	"maps"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// lateWindow is how long an expired reservation is remembered, so that a late result can still be settled.
const lateWindow = 72 * time.Hour

// Reservation is an open reservation, or one that expired within the late window.
type Reservation struct {
	ID         domain.ReservationID
	Generation domain.GenerationID // empty if it is for none
	Slices     []Slice
	Use        Use
	Expires    time.Time
}

// Totals are the sums of all postings per book. They add up to zero.
type Totals struct {
	Issuance, Available, Reserved, Consumed, Breakage, Debt domain.Credits
}

// Sum adds all books: zero unless credits were created or destroyed.
func (t Totals) Sum() domain.Credits {
	return t.Issuance + t.Available + t.Reserved + t.Consumed + t.Breakage + t.Debt
}

// State is an account folded from its events.
type State struct {
	ID       domain.AccountID
	Plan     string
	Tier     domain.Tier
	Limits   Limits
	Totals   Totals
	LineUsed domain.Credits // reserved and consumed beyond the grants

	grants   []*Grant // alive, in draw order
	byID     map[domain.GrantID]*Grant
	granted  map[domain.GrantID]struct{} // every grant ever made
	open     map[domain.ReservationID]*Reservation
	lapsed   map[domain.ReservationID]*Reservation
	earliest time.Time // no grant or reservation is due before this; zero means none is known to be
}

// Initial returns an account that has not been opened.
func Initial() *State {
	return &State{
		grants:  []*Grant{},
		byID:    map[domain.GrantID]*Grant{},
		granted: map[domain.GrantID]struct{}{},
		open:    map[domain.ReservationID]*Reservation{},
		lapsed:  map[domain.ReservationID]*Reservation{},
	}
}

// Exists reports whether the account was opened.
func (s *State) Exists() bool { return s.ID != "" }

// Grants returns copies of the grants with something left or reserved, in draw order.
func (s *State) Grants() []Grant {
	out := make([]Grant, len(s.grants))
	for i, g := range s.grants {
		out[i] = *g
	}
	return out
}

// Reservation returns a copy of an open reservation.
func (s *State) Reservation(id domain.ReservationID) (Reservation, bool) {
	r, ok := s.open[id]
	if !ok {
		return Reservation{}, false
	}
	return *r, true
}

// ForGeneration reports whether a reservation that is known, open or not, was made for a generation.
func (s *State) ForGeneration(id domain.ReservationID) bool {
	for _, known := range []map[domain.ReservationID]*Reservation{s.open, s.lapsed} {
		if r := known[id]; r != nil {
			return r.Generation != ""
		}
	}
	return false
}

// Open returns the number of open reservations, expired ones included until their expiry is visible.
func (s *State) Open() int { return len(s.open) }

// Things returns how many grants and reservations the state remembers.
func (s *State) Things() int { return len(s.grants) + len(s.granted) + len(s.open) + len(s.lapsed) }

// At returns the account as it is at a time: with everything ended that time has ended. The state is not changed.
func (s *State) At(at time.Time) *State {
	_, aged := s.age(at)
	return aged
}

// Spendable returns what may be reserved for a use at a time, the credit line included.
func (s *State) Spendable(u Use, at time.Time) domain.Credits {
	return s.At(at).spendable(u, at)
}

func (s *State) spendable(u Use, at time.Time) domain.Credits {
	sum := s.lineLeft()
	for _, g := range s.grants {
		if g.Spendable(u, at) {
			sum += g.Available
		}
	}
	return sum
}

func (s *State) lineLeft() domain.Credits { return max(0, s.Limits.CreditLine-s.LineUsed) }

// lineOwed returns the consumed part of the used credit line. What is only reserved may still come back.
func (s *State) lineOwed() domain.Credits {
	owed := s.LineUsed
	for _, r := range s.open {
		for _, p := range r.Slices {
			if p.Grant == LineGrant {
				owed -= p.Amount
			}
		}
	}
	return owed
}

// late returns the reservation if it expired less than lateWindow ago, else nil. What lapsed still holds beyond that
// must not count, since it is dropped only when another reservation expires.
func (s *State) late(id domain.ReservationID, at time.Time) *Reservation {
	if r := s.lapsed[id]; r != nil && r.Expires.Add(lateWindow).After(at) {
		return r
	}
	return nil
}

// draw picks slices for an amount in draw order, then from the credit line, and returns less where less is spendable.
func (s *State) draw(amount domain.Credits, u Use, at time.Time) []Slice {
	var parts []Slice
	for _, g := range s.grants {
		if amount == 0 {
			return parts
		}
		if g.Spendable(u, at) {
			take := min(amount, g.Available)
			parts = append(parts, Slice{g.ID, take})
			amount -= take
		}
	}
	if take := min(amount, s.lineLeft()); take > 0 {
		parts = append(parts, Slice{LineGrant, take})
	}
	return parts
}

// Clone returns a copy that shares nothing which changes.
func (s *State) Clone() *State {
	c := *s
	c.grants = slices.Clone(s.grants)
	c.byID = make(map[domain.GrantID]*Grant, len(s.byID))
	for i, g := range c.grants {
		copied := *g
		c.grants[i], c.byID[g.ID] = &copied, &copied
	}
	c.granted = maps.Clone(s.granted)
	c.open, c.lapsed = cloneReservations(s.open), cloneReservations(s.lapsed)
	return &c
}

func cloneReservations(m map[domain.ReservationID]*Reservation) map[domain.ReservationID]*Reservation {
	c := make(map[domain.ReservationID]*Reservation, len(m))
	for id, r := range m {
		copied := *r // its slices are never written to
		c[id] = &copied
	}
	return c
}
