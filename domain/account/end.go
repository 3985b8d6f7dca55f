package account

import (
	"github.com/pingvas/pingvas/domain"
)

func (s *State) extend(c Extend) ([]domain.Event, error) {
	r := s.open[c.Reservation]
	if r == nil {
		return nil, ended(c.Reservation)
	}
	if !c.Expires.After(r.Expires) {
		return nil, nil
	}
	return []domain.Event{ReservationExtended(c)}, nil
}

func (s *State) settle(c Settle) ([]domain.Event, error) {
	if c.Charge < 0 {
		return nil, domain.Errorf(domain.CodeInvalid, "a charge of %d credits is negative", c.Charge)
	}
	r, late := s.open[c.Reservation], false
	if r == nil {
		r, late = s.late(c.Reservation, c.At), true
	}
	if r == nil {
		return nil, ended(c.Reservation)
	}
	if reserved := Total(r.Slices); c.Charge > reserved {
		return nil, domain.Errorf(domain.CodeInvalid, "a charge of %d credits exceeds the %d reserved", c.Charge, reserved)
	}
	settled := CreditsSettled{Reservation: r.ID, Generation: r.Generation, Policy: c.Policy, At: c.At}
	if late {
		settled.Late = true
		settled.Charged = s.draw(c.Charge, r.Use, c.At)
		settled.Waived = c.Charge - Total(settled.Charged)
		return []domain.Event{settled}, nil
	}
	settled.Charged, settled.Returned = split(r.Slices, c.Charge)
	return s.withExpiry(settled, settled.Returned, c.At), nil
}

// release of a reservation that has expired changes nothing: its credits went back then.
func (s *State) release(c Release) ([]domain.Event, error) {
	r := s.open[c.Reservation]
	if r == nil && s.late(c.Reservation, c.At) != nil {
		return nil, nil
	}
	if r == nil {
		return nil, ended(c.Reservation)
	}
	released := CreditsReleased{
		Reservation: r.ID, Generation: r.Generation, Slices: r.Slices, Reason: c.Reason, Policy: c.Policy, At: c.At,
	}
	return s.withExpiry(released, r.Slices, c.At), nil
}

func ended(id domain.ReservationID) error {
	return domain.Errorf(domain.CodeAlreadyEnded, "reservation %s is not open", id)
}
