package account

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// Check returns the first invariant that the state breaks, or nil.
func Check(s *State) error {
	var available, reserved domain.Credits
	for _, g := range s.grants {
		if g.Available < 0 || g.Reserved < 0 {
			return fmt.Errorf("grant %s has %d available and %d reserved", g.ID, g.Available, g.Reserved)
		}
		available += g.Available
		reserved += g.Reserved
	}
	var slices, line domain.Credits
	for _, r := range s.open {
		for _, p := range r.Slices {
			slices += p.Amount
			if p.Grant == LineGrant {
				line += p.Amount
			}
		}
	}
	switch {
	case s.Totals.Sum() != 0:
		return fmt.Errorf("the books add up to %d: %+v", s.Totals.Sum(), s.Totals)
	case s.LineUsed < line:
		return fmt.Errorf("the used credit line is %d, the open reservations hold %d of it", s.LineUsed, line)
	case s.Totals.Available != available-s.LineUsed:
		return fmt.Errorf("the books say %d available, the grants %d less %d of the line",
			s.Totals.Available, available, s.LineUsed)
	case s.Totals.Reserved != slices:
		return fmt.Errorf("the books say %d reserved, the open reservations %d", s.Totals.Reserved, slices)
	case reserved+line != slices:
		return fmt.Errorf("the grants say %d reserved and the line %d, the open reservations %d", reserved, line, slices)
	}
	return nil
}
