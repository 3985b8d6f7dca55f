package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// ReservationsMax is how many commands one batch may hold.
const ReservationsMax = 500

// ReservationCommand is one command of a batch: exactly one of its fields is set.
type ReservationCommand struct {
	Reserve *account.Reserve
	Settle  *account.Settle
	Release *account.Release
}

// ReservationResult is what became of one command of a batch: exactly one of its fields is set.
type ReservationResult struct {
	Reserved *Reserved         `json:"reserved,omitempty"`
	Ended    *EndedReservation `json:"ended,omitempty"`
	Refusal  *Refusal          `json:"refusal,omitempty"`
}

// Refusal is a recorded *domain.Error.
type Refusal struct {
	Code   domain.Code     `json:"code"`
	Msg    string          `json:"msg"`
	Field  string          `json:"field,omitempty"`
	Detail json.RawMessage `json:"detail,omitempty"`
}

// Err returns the refusal as the error that it was. Its Detail is json.RawMessage.
func (r Refusal) Err() *domain.Error {
	e := &domain.Error{Code: r.Code, Msg: r.Msg, Field: r.Field}
	if r.Detail != nil {
		e.Detail = r.Detail
	}
	return e
}

// RunReservations runs commands of one account in order, each on what those before it have left, and records all that
// they cause in one transaction. A refusal changes nothing and stops nothing. There is one result for each command.
func (l *Ledger) RunReservations(
	ctx context.Context, c Caller, in []ReservationCommand,
) (Receipt[[]ReservationResult], error) {
	if len(in) < 1 || len(in) > ReservationsMax {
		return Receipt[[]ReservationResult]{}, domain.Errorf(domain.CodeInvalid,
			"a batch of %d commands, must be 1 to %d", len(in), ReservationsMax)
	}
	return run(ctx, l, c, useCase[[]ReservationResult]{
		name:    "run_reservations",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide: func(w *work) ([]ReservationResult, error) {
			out := make([]ReservationResult, len(in))
			for i, one := range in {
				result, err := one.decide(w)
				if out[i] = result; err == nil {
					continue
				}
				refusal, err := refusalOf(err)
				if err != nil {
					return nil, err
				}
				out[i] = ReservationResult{Refusal: refusal}
			}
			return out, nil
		},
	})
}

func (c ReservationCommand) decide(w *work) (ReservationResult, error) {
	switch {
	case c.Reserve != nil:
		made, err := reserve(w, *c.Reserve)
		return ReservationResult{Reserved: &made}, err
	case c.Settle != nil:
		ended, err := endReservation(w, c.Settle.Reservation, *c.Settle)
		return ReservationResult{Ended: &ended}, err
	case c.Release != nil:
		ended, err := endReservation(w, c.Release.Reservation, *c.Release)
		return ReservationResult{Ended: &ended}, err
	}
	return ReservationResult{}, domain.Errorf(domain.CodeInvalid, "a command that asks for nothing")
}

// refusalOf returns any other error as it is.
func refusalOf(err error) (*Refusal, error) {
	var e *domain.Error
	if !errors.As(err, &e) {
		return nil, err
	}
	out := &Refusal{Code: e.Code, Msg: e.Msg, Field: e.Field}
	if e.Detail != nil {
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			return nil, fmt.Errorf("encode the detail of a refusal: %w", err)
		}
		out.Detail = detail
	}
	return out, nil
}
