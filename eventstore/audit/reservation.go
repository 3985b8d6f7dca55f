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
		return b.end(e.Reservation, account.Total(e.Slices))
	case account.ReservationExpired:
		wrong := b.end(e.Reservation, account.Total(e.Slices))
		if r := b.reservations[e.Reservation]; r != nil {
			r.expired = true
		}
		return wrong
	case account.CreditsSettled:
		return b.settle(e)
	}
	return nil
}

func (b *books) open(e account.CreditsReserved) []string {
	if b.reservations[e.Reservation] != nil {
		return []string{fmt.Sprintf("reservation %s is made a second time", e.Reservation)}
	}
	b.reservations[e.Reservation] = &reservation{amount: e.Amount}
	if total := account.Total(e.Slices); total != e.Amount {
		return []string{fmt.Sprintf("reservation %s of %d has slices of %d", e.Reservation, e.Amount, total)}
	}
	return nil
}

func (b *books) end(id domain.ReservationID, given domain.Credits) []string {
	r := b.reservations[id]
	switch {
	case r == nil:
		return []string{fmt.Sprintf("reservation %s was never made", id)}
	case r.ended:
		return []string{fmt.Sprintf("reservation %s has ended before", id)}
	}
	r.ended = true
	if given != r.amount {
		return []string{fmt.Sprintf("reservation %s of %d ends with %d", id, r.amount, given)}
	}
	return nil
}

func (b *books) settle(e account.CreditsSettled) []string {
	charged := account.Total(e.Charged)
	if !e.Late {
		wrong := b.end(e.Reservation, charged+account.Total(e.Returned))
		if r := b.reservations[e.Reservation]; r != nil {
			r.settled = true
		}
		return wrong
	}
	r := b.reservations[e.Reservation]
	switch {
	case r == nil || !r.expired:
		return []string{fmt.Sprintf("reservation %s is settled late without having expired", e.Reservation)}
	case r.settled:
		return []string{fmt.Sprintf("reservation %s is settled a second time", e.Reservation)}
	case charged+e.Waived > r.amount:
		return []string{fmt.Sprintf("reservation %s of %d is charged %d and waived %d",
			e.Reservation, r.amount, charged, e.Waived)}
	}
	r.settled = true
	return nil
}
