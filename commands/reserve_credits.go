package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// Reserved is a reservation as it was made.
type Reserved struct {
	Reservation domain.ReservationID `json:"reservation"`
	Slices      []account.Slice      `json:"slices"`
	Expires     time.Time            `json:"expires_at"`
}

// ReserveCredits holds credits of the caller's account for work that is done elsewhere.
func (l *Ledger) ReserveCredits(ctx context.Context, c Caller, in account.Reserve) (Receipt[Reserved], error) {
	var command account.Command = in
	return run(ctx, l, c, useCase[Reserved]{
		name:    "reserve_credits",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide:  func(w *work) (Reserved, error) { return reserve(w, command) },
		told:    reservedBy,
	})
}

func reserve(w *work, in account.Command) (Reserved, error) {
	before := len(w.pending)
	if err := w.onAccount(in); err != nil {
		return Reserved{}, err
	}
	return reservedBy(w.pending[before:]), nil
}

// reservedBy returns the reservation that events have made.
func reservedBy(events []domain.Event) Reserved {
	for _, e := range events {
		if e, is := e.(account.CreditsReserved); is {
			return Reserved{e.Reservation, e.Slices, e.Expires}
		}
	}
	return Reserved{}
}

// EndedReservation is how a reservation ended.
type EndedReservation struct {
	Reservation domain.ReservationID `json:"reservation"`
	Settled     domain.Credits       `json:"settled"`
	Released    domain.Credits       `json:"released"`
	Waived      domain.Credits       `json:"waived,omitempty"`
}

// SettleCredits ends a reservation by ReserveCredits with a charge. CodeAlreadyEnded for one that is not open.
func (l *Ledger) SettleCredits(ctx context.Context, c Caller, in account.Settle) (Receipt[EndedReservation], error) {
	return l.endReserved(ctx, c, "settle_credits", in.Reservation, in)
}

// ReleaseCredits ends a reservation by ReserveCredits without a charge. CodeAlreadyEnded for one that is not open.
func (l *Ledger) ReleaseCredits(ctx context.Context, c Caller, in account.Release) (Receipt[EndedReservation], error) {
	return l.endReserved(ctx, c, "release_credits", in.Reservation, in)
}

func (l *Ledger) endReserved(
	ctx context.Context, c Caller, name string, id domain.ReservationID, in account.Command,
) (Receipt[EndedReservation], error) {
	return run(ctx, l, c, useCase[EndedReservation]{
		name:    name,
		streams: []string{eventstore.AccountStream(c.Account)},
		decide:  func(w *work) (EndedReservation, error) { return endReservation(w, id, in) },
		told:    func(events []domain.Event) EndedReservation { return endedBy(id, events) },
	})
}

func endReservation(w *work, id domain.ReservationID, in account.Command) (EndedReservation, error) {
	if w.account.state.ForGeneration(id) { // else its owner could have the pictures and not pay
		return EndedReservation{}, domain.Errorf(domain.CodeAlreadyEnded, "reservation %s is not open", id)
	}
	before := len(w.pending)
	if err := w.onAccount(in); err != nil {
		return EndedReservation{}, err
	}
	return endedBy(id, w.pending[before:]), nil
}

// endedBy returns how events have ended the reservation.
func endedBy(id domain.ReservationID, events []domain.Event) EndedReservation {
	var ended Ended
	for _, e := range events {
		ended.add(e)
	}
	return EndedReservation{id, ended.Settled, ended.Released, ended.Waived}
}
