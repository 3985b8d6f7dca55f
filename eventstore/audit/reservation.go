package audit

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// reserve follows each reservation through its events, independently of the account's fold.
func (b *books) reserve(e domain.Event) []string {
	switch e := e.(type) {
	case account.CreditsReserved:
		return b.open(e)
	case account.CreditsReleased:
		return b.end(e.Reservation, account.Total(e.Slices), false)
	case account.ReservationExpired:
		return b.end(e.Reservation, account.Total(e.Slices), true)
	case account.CreditsSettled:
		if e.Late {
			return b.settleLate(e)
		}
		return b.end(e.Reservation, account.Total(e.Charged)+account.Total(e.Returned), false)
	}
	return nil
}

func (b *books) open(e account.CreditsReserved) []string {
	if b.reservations[e.Reservation] != nil {
		return []string{fmt.Sprintf("reservation %s is made a second time", e.Reservation)}
	}
	b.made++
	b.reservations[e.Reservation] = &reservation{amount: e.Amount}
	if total := account.Total(e.Slices); total != e.Amount {
		return []string{fmt.Sprintf("reservation %s of %d has slices of %d", e.Reservation, e.Amount, total)}
	}
	return nil
}

// end ends a reservation. One that has expired may be settled late, so it is remembered.
func (b *books) end(id domain.ReservationID, given domain.Credits, expired bool) []string {
	r := b.reservations[id]
	if r == nil || r.expired {
		return []string{fmt.Sprintf("reservation %s was never made or has ended before", id)}
	}
	if r.expired = expired; !expired {
		delete(b.reservations, id)
	}
	if given != r.amount {
		return []string{fmt.Sprintf("reservation %s of %d ends with %d", id, r.amount, given)}
	}
	return nil
}

func (b *books) settleLate(e account.CreditsSettled) []string {
	r := b.reservations[e.Reservation]
	charged := account.Total(e.Charged)
	switch {
	case r == nil || !r.expired:
		return []string{fmt.Sprintf("reservation %s is settled late without having expired", e.Reservation)}
	case charged+e.Waived > r.amount:
		return []string{fmt.Sprintf("reservation %s of %d is charged %d and waived %d",
			e.Reservation, r.amount, charged, e.Waived)}
	}
	delete(b.reservations, e.Reservation)
	return nil
}
