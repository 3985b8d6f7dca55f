package ledgerbench

import (
	"context"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// benchSlots lets as many reservations be open as there are clients.
const benchSlots = 10_000

// Ours is the ledger of pingvas in this process, with everything on: grants, slices, expiry, idempotency, hash chain.
type Ours struct{ Ledger *commands.Ledger }

// Name implements Target.
func (o Ours) Name() string { return "pingvas" }

func (o Ours) caller(n int) commands.Caller {
	return commands.Caller{Account: domain.AccountID(fmt.Sprintf("%s%026d", domain.PrefixAccount, n)), Actor: "bench"}
}

// Prepare implements Target.
func (o Ours) Prepare(ctx context.Context, accounts int) error {
	at := time.Now().UTC()
	for n := range accounts {
		c := o.caller(n)
		open := account.Open{
			Account: c.Account, Plan: "bench", Tier: domain.TierPro, Limits: account.Limits{Slots: benchSlots}, At: at,
		}
		grant := account.GrantCredits{
			Grant: domain.GrantID(fmt.Sprintf("%s%026d", domain.PrefixGrant, n)), Source: account.SourceTopUp,
			Priority: account.PriorityUsual, Amount: grantPerAccount, Effective: at, At: at,
		}
		if err := o.Ledger.ImportAccount(ctx, c, open, grant); err != nil {
			return fmt.Errorf("open account %d: %w", n, err)
		}
	}
	return nil
}

// Reserve implements Target.
func (o Ours) Reserve(ctx context.Context, n int, id string) error {
	c, at := o.caller(n), time.Now().UTC()
	c.Idempotency = &commands.Idempotency{Key: "reserve " + id, RequestHash: eventstore.Hash{1}}
	_, err := o.Ledger.ReserveCredits(ctx, c, account.Reserve{
		Reservation: domain.ReservationID(domain.PrefixReservation + id),
		Generation:  domain.GenerationID(domain.PrefixGeneration + id), Amount: reserveAmount,
		Use: account.Use{Model: "sdxl-1.0", Operation: "text_to_image"}, PriceBook: "bench",
		Expires: at.Add(time.Hour), At: at,
	})
	return err
}

// End implements Target.
func (o Ours) End(ctx context.Context, n int, id string, ending Ending) error {
	c, at := o.caller(n), time.Now().UTC()
	c.Idempotency = &commands.Idempotency{Key: "end " + id, RequestHash: eventstore.Hash{1}}
	reservation := domain.ReservationID(domain.PrefixReservation + id)
	if ending == Release {
		_, err := o.Ledger.ReleaseCredits(ctx, c, account.Release{
			Reservation: reservation, Reason: "cancelled", Policy: "bench", At: at,
		})
		return err
	}
	charge := domain.Credits(reserveAmount)
	if ending == SettlePart {
		charge = partAmount
	}
	_, err := o.Ledger.SettleCredits(ctx, c, account.Settle{
		Reservation: reservation, Charge: charge, Policy: "bench", At: at,
	})
	return err
}
