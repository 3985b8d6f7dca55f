package account

import (
	"maps"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// SnapshotFormat is the version of Snapshot. It changes with every change of State or of how events are folded, so that
// older snapshots are not used any more.
const SnapshotFormat = 1

// Snapshot is a state in a form that can be stored. It is a cache: what it says, the events say.
type Snapshot struct {
	ID       domain.AccountID `json:"id"`
	Plan     string           `json:"plan"`
	Tier     domain.Tier      `json:"tier"`
	Limits   Limits           `json:"limits"`
	Totals   Totals           `json:"totals"`
	LineUsed domain.Credits   `json:"line_used"`
	Grants   []Grant          `json:"grants"`  // alive, in draw order
	Granted  []domain.GrantID `json:"granted"` // every grant ever made, sorted
	Open     []Reservation    `json:"open"`    // sorted by id
	Lapsed   []Reservation    `json:"lapsed"`  // sorted by id
	Earliest time.Time        `json:"earliest"`
}

// Snapshot returns the state in a form that can be stored.
func (s *State) Snapshot() Snapshot {
	return Snapshot{
		ID: s.ID, Plan: s.Plan, Tier: s.Tier, Limits: s.Limits, Totals: s.Totals, LineUsed: s.LineUsed,
		Grants: s.Grants(), Granted: slices.Sorted(maps.Keys(s.granted)),
		Open: sortedReservations(s.open), Lapsed: sortedReservations(s.lapsed), Earliest: s.earliest,
	}
}

func sortedReservations(m map[domain.ReservationID]*Reservation) []Reservation {
	out := make([]Reservation, 0, len(m))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		out = append(out, *m[id])
	}
	return out
}

// Restore returns the state that a snapshot was made of.
func Restore(from Snapshot) *State {
	s := Initial()
	s.ID, s.Plan, s.Tier, s.Limits = from.ID, from.Plan, from.Tier, from.Limits
	s.Totals, s.LineUsed, s.earliest = from.Totals, from.LineUsed, from.Earliest
	for _, g := range from.Grants {
		s.grants = append(s.grants, &g)
		s.byID[g.ID] = &g
	}
	for _, id := range from.Granted {
		s.granted[id] = struct{}{}
	}
	for _, r := range from.Open {
		s.open[r.ID] = &r
	}
	for _, r := range from.Lapsed {
		s.lapsed[r.ID] = &r
	}
	return s
}
