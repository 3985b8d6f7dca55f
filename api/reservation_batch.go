package api

import (
	"context"
	"net/http"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// RunReservations implements gen.StrictServerInterface.
func (s *Server) RunReservations(
	ctx context.Context, request gen.RunReservationsRequestObject,
) (gen.RunReservationsResponseObject, error) {
	in := request.Body.Commands
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	batch := make([]commands.ReservationCommand, len(in))
	for i, c := range in {
		batch[i] = s.toCommand(c)
	}
	receipt, err := s.ledger.RunReservations(ctx, caller(ctx, once), batch)
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	results := make([]gen.ReservationResult, len(in))
	for i, r := range receipt.Result {
		results[i] = toResult(in[i], r)
	}
	return gen.RunReservations200JSONResponse{
		Body: gen.ReservationResults{Results: results},
		Headers: gen.RunReservations200ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// toCommand takes a command of which the contract says that it is exactly one of the three.
func (s *Server) toCommand(c gen.ReservationCommand) commands.ReservationCommand {
	switch {
	case c.Reserve != nil:
		reserve := s.toReserve(*c.Reserve)
		return commands.ReservationCommand{Reserve: &reserve}
	case c.Settle != nil:
		return commands.ReservationCommand{Settle: &account.Settle{
			Reservation: domain.ReservationID(c.Settle.Reservation), Charge: domain.Credits(c.Settle.Amount),
			Policy: metered, At: s.now(),
		}}
	default:
		return commands.ReservationCommand{Release: &account.Release{
			Reservation: domain.ReservationID(c.Release.Reservation), Reason: reasonReleased, Policy: metered, At: s.now(),
		}}
	}
}

func toResult(c gen.ReservationCommand, r commands.ReservationResult) gen.ReservationResult {
	switch {
	case r.Reserved != nil:
		made := toReservation(*c.Reserve, *r.Reserved)
		return gen.ReservationResult{Reserved: &made}
	case r.Ended != nil:
		ended := toEnded(*r.Ended)
		return gen.ReservationResult{Ended: &ended}
	}
	var err error = r.Refusal.Err()
	if c.Reserve == nil {
		err = notOpen(err)
	}
	p := problemOf(err)
	return gen.ReservationResult{Problem: &gen.ReservationProblem{
		Code: p.Code, Title: p.Title, Status: p.Status, Detail: p.Detail, Retryable: p.Retryable,
		Required: p.Required, Available: p.Available, Reserved: p.Reserved, Open: p.Open, Limit: p.Limit,
	}}
}
