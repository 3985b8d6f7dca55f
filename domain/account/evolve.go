package account

import (
	"fmt"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Evolve folds one event into the state, which it owns: the argument must not be used afterwards.
func Evolve(s *State, e domain.Event) *State {
	if p, ok := e.(domain.Posted); ok {
		s.Totals.post(p.Postings())
	}
	switch e := e.(type) {
	case Opened:
		s.ID, s.Plan, s.Tier, s.Limits = e.Account, e.Plan, e.Tier, e.Limits
		return s
	case CreditsGranted:
		return s.addGrant(e)
	case CreditsReserved:
		return s.addReservation(e)
	case ReservationExtended:
		s.open[e.Reservation].Expires = e.Expires
		return s
	case CreditsSettled:
		return s.applySettled(e)
	case CreditsReleased:
		delete(s.open, e.Reservation)
		return s.giveBack(e.Slices, e.At)
	case ReservationExpired:
		return s.lapse(e)
	case GrantExpired:
		s.byID[e.Grant].Available -= e.Amount
		return s.tidy(e.At)
	case TierChanged:
		s.Plan, s.Tier, s.Limits = e.Plan, e.Tier, e.Limits
		return s
	}
	panic(fmt.Sprintf("account: event %T is not folded", e))
}

func (t *Totals) post(postings []domain.Posting) {
	for _, p := range postings {
		switch p.Book {
		case domain.BookIssuance:
			t.Issuance += p.Amount
		case domain.BookAvailable:
			t.Available += p.Amount
		case domain.BookReserved:
			t.Reserved += p.Amount
		case domain.BookConsumed:
			t.Consumed += p.Amount
		case domain.BookBreakage:
			t.Breakage += p.Amount
		case domain.BookDebt:
			t.Debt += p.Amount
		}
	}
}

func (s *State) addGrant(e CreditsGranted) *State {
	s.granted[e.Grant] = struct{}{}
	s.LineUsed -= e.RepaysLine
	g := &Grant{
		ID: e.Grant, Source: e.Source, Priority: e.Priority, Sequence: len(s.granted), Effective: e.Effective,
		Expires: e.Expires, Scope: e.Scope, Available: e.Amount - e.RepaysLine,
	}
	if g.Available == 0 {
		return s
	}
	at, _ := slices.BinarySearchFunc(s.grants, g, drawOrder)
	s.grants = slices.Insert(s.grants, at, g)
	s.byID[g.ID] = g
	s.mayFallDue(g.Expires)
	return s
}

func (s *State) addReservation(e CreditsReserved) *State {
	s.open[e.Reservation] = &Reservation{
		ID: e.Reservation, Generation: e.Generation, Slices: e.Slices, Use: e.Use, Expires: e.Expires,
	}
	for _, p := range e.Slices {
		if p.Grant == LineGrant {
			s.LineUsed += p.Amount
			continue
		}
		g := s.byID[p.Grant]
		g.Available -= p.Amount
		g.Reserved += p.Amount
	}
	s.mayFallDue(e.Expires)
	return s
}

func (s *State) applySettled(e CreditsSettled) *State {
	if e.Late {
		delete(s.lapsed, e.Reservation)
	} else {
		delete(s.open, e.Reservation)
	}
	for _, p := range e.Charged {
		switch {
		case p.Grant == LineGrant && e.Late:
			s.LineUsed += p.Amount
		case p.Grant == LineGrant: // stays used
		case e.Late:
			s.byID[p.Grant].Available -= p.Amount
		default:
			s.byID[p.Grant].Reserved -= p.Amount
		}
	}
	return s.giveBack(e.Returned, e.At)
}

func (s *State) lapse(e ReservationExpired) *State {
	s.lapsed[e.Reservation] = s.open[e.Reservation]
	delete(s.open, e.Reservation)
	for id, r := range s.lapsed {
		if r.Expires.Before(e.Expired.Add(-lateWindow)) {
			delete(s.lapsed, id)
		}
	}
	return s.giveBack(e.Slices, e.At)
}

// giveBack returns slices to where they came from.
func (s *State) giveBack(parts []Slice, at time.Time) *State {
	for _, p := range parts {
		if p.Grant == LineGrant {
			s.LineUsed -= p.Amount
			continue
		}
		g := s.byID[p.Grant]
		g.Reserved -= p.Amount
		g.Available += p.Amount
		s.mayFallDue(g.Expires)
	}
	return s.tidy(at)
}

// tidy forgets grants with nothing left, and finds the next due time anew once the old one has passed.
func (s *State) tidy(at time.Time) *State {
	s.grants = slices.DeleteFunc(s.grants, func(g *Grant) bool {
		gone := g.Available == 0 && g.Reserved == 0
		if gone {
			delete(s.byID, g.ID)
		}
		return gone
	})
	if !s.earliest.After(at) {
		s.findEarliest()
	}
	return s
}

// withExpiry adds the expiry of what an event gives back to grants that have run out.
func (s *State) withExpiry(e domain.Event, back []Slice, at time.Time) []domain.Event {
	events := []domain.Event{e}
	for _, p := range back {
		if g := s.byID[p.Grant]; p.Grant != LineGrant && g.Expired(at) {
			events = append(events, GrantExpired{Grant: g.ID, Amount: p.Amount, Expired: g.Expires, At: at})
		}
	}
	return events
}
