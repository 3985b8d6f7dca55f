package api

import (
	"context"
	"net/http"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// reservationSeconds is how long a reservation holds if its maker does not say.
const reservationSeconds = 900

// metered stands in the record where a generation has its price book and its settlement policy: the price is made by
// whoever does the work.
const metered = "metered"

// reasonReleased is why a reservation was released that its maker gave back.
const reasonReleased = "released"

// CreateReservation implements gen.StrictServerInterface. As with generations, nothing in the answer comes from
// elsewhere than the request and the recorded outcome.
func (s *Server) CreateReservation(
	ctx context.Context, request gen.CreateReservationRequestObject,
) (gen.CreateReservationResponseObject, error) {
	in := request.Body
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, in)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ledger.ReserveCredits(ctx, caller(ctx, once), s.toReserve(*in))
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	return gen.CreateReservation201JSONResponse{
		Body: toReservation(*in, receipt.Result),
		Headers: gen.CreateReservation201ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

func (s *Server) toReserve(in gen.ReservationRequest) account.Reserve {
	lasts := time.Duration(reservationSeconds) * time.Second
	if in.ExpiresIn != nil {
		lasts = time.Duration(*in.ExpiresIn) * time.Second
	}
	use, now := or(in.Use), s.now()
	return account.Reserve{
		Reservation: domain.ReservationID(s.newID(domain.PrefixReservation)), Amount: domain.Credits(in.Amount),
		Use: account.Use{Model: or(use.Model), Operation: or(use.Operation)}, PriceBook: metered,
		Expires: now.Add(lasts), At: now,
	}
}

func toReservation(in gen.ReservationRequest, r commands.Reserved) gen.Reservation {
	return gen.Reservation{
		ID: string(r.Reservation), Amount: in.Amount, Slices: toSlices(r.Slices), Use: in.Use, ExpiresAt: r.Expires,
	}
}

func toSlices(parts []account.Slice) []gen.Slice {
	out := make([]gen.Slice, len(parts))
	for i, p := range parts {
		out[i] = gen.Slice{Grant: string(p.Grant), Amount: int64(p.Amount)}
	}
	return out
}

// SettleReservation implements gen.StrictServerInterface.
func (s *Server) SettleReservation(
	ctx context.Context, request gen.SettleReservationRequestObject,
) (gen.SettleReservationResponseObject, error) {
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, request.Reservation, request.Body)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ledger.SettleCredits(ctx, caller(ctx, once), account.Settle{
		Reservation: domain.ReservationID(request.Reservation), Charge: domain.Credits(request.Body.Amount),
		Policy: metered, At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, notOpen(err))
	}
	return gen.SettleReservation200JSONResponse{
		Body: toEnded(receipt.Result),
		Headers: gen.SettleReservation200ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// ReleaseReservation implements gen.StrictServerInterface.
func (s *Server) ReleaseReservation(
	ctx context.Context, request gen.ReleaseReservationRequestObject,
) (gen.ReleaseReservationResponseObject, error) {
	once, err := idempotency(ctx, http.MethodPost, request.Params.IdempotencyKey, request.Reservation)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ledger.ReleaseCredits(ctx, caller(ctx, once), account.Release{
		Reservation: domain.ReservationID(request.Reservation), Reason: reasonReleased, Policy: metered, At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, notOpen(err))
	}
	return gen.ReleaseReservation200JSONResponse{
		Body: toEnded(receipt.Result),
		Headers: gen.ReleaseReservation200ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// notOpen turns "already ended" into "not found". An account forgets the reservations that have ended, so the two
// cannot be told apart; and neither can those of another account.
func notOpen(err error) error {
	if domain.CodeOf(err) == domain.CodeAlreadyEnded {
		return domain.Errorf(domain.CodeNotFound, "the account has no open reservation with this id")
	}
	return err
}

func toEnded(r commands.EndedReservation) gen.EndedReservation {
	return gen.EndedReservation{
		ID: string(r.Reservation), Settled: int64(r.Settled), Released: int64(r.Released), Waived: int64(r.Waived),
	}
}
