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

// reservationTTL is how long the reservations of the workload would hold.
const reservationTTL = time.Hour

// Ours is the ledger of pingvas in this process, with everything on: grants, slices, expiry, idempotency, hash chain.
type Ours struct {
	Ledger *commands.Ledger
	// First is the number of the workload's account 0.
	First int
	// Recorded is told the position of every command, or nil.
	Recorded func(eventstore.Position)
}

// Name implements Target.
func (o Ours) Name() string { return "pingvas" }

// Schema implements Target.
func (o Ours) Schema() string { return "ledger" }

// Client implements Target.
func (o Ours) Client(context.Context) (Client, error) { return o, nil }

// Close implements Client.
func (o Ours) Close() error { return nil }

// AccountID returns the id of an account of the workload.
func AccountID(n int) domain.AccountID {
	return domain.AccountID(fmt.Sprintf("%s%026d", domain.PrefixAccount, n))
}

func caller(n int, key string) commands.Caller {
	return commands.Caller{
		Account: AccountID(n), Actor: "bench",
		Idempotency: &commands.Idempotency{Key: key, RequestHash: eventstore.RequestHash{1}},
	}
}

// opening are the commands that an account of the workload begins with.
func opening(id domain.AccountID, n int, at time.Time) (account.Open, account.GrantCredits) {
	open := account.Open{
		Account: id, Plan: "bench", Tier: domain.TierPro, Limits: account.Limits{Slots: benchSlots}, At: at,
	}
	return open, account.GrantCredits{
		Grant: domain.GrantID(fmt.Sprintf("%s%026d", domain.PrefixGrant, n)), Source: account.SourceTopUp,
		Priority: account.PriorityUsual, Amount: grantPerAccount, Effective: at, At: at,
	}
}

// Prepare opens this many accounts.
func (o Ours) Prepare(ctx context.Context, accounts int) error {
	for n := o.First; n < o.First+accounts; n++ {
		id := AccountID(n)
		open, grant := opening(id, n, now())
		if err := o.Ledger.ImportAccount(ctx, commands.Caller{Account: id, Actor: "bench"}, open, grant); err != nil {
			return fmt.Errorf("open account %d: %w", n, err)
		}
	}
	return nil
}

// now is the time that commands get: UTC, in microseconds, as the ledger keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// Reserve implements Client. The id of the reservation names the hold.
func (o Ours) Reserve(ctx context.Context, n int, id string) (string, error) {
	at := now()
	receipt, err := o.Ledger.ReserveCredits(ctx, caller(o.First+n, "reserve "+id), account.Reserve{
		Reservation: domain.ReservationID(domain.PrefixReservation + id), Amount: reserveAmount,
		Use: account.Use{Model: "sdxl-1.0", Operation: "text_to_image"}, PriceBook: "metered",
		Expires: at.Add(reservationTTL), At: at,
	})
	o.recorded(receipt.Position, err)
	return id, err
}

func (o Ours) recorded(p eventstore.Position, err error) {
	if o.Recorded != nil && err == nil {
		o.Recorded(p)
	}
}

// End implements Client.
func (o Ours) End(ctx context.Context, n int, id string, ending Ending) error {
	c, at := caller(o.First+n, "end "+id), now()
	reservation := domain.ReservationID(domain.PrefixReservation + id)
	if ending == Release {
		receipt, err := o.Ledger.ReleaseCredits(ctx, c, account.Release{
			Reservation: reservation, Reason: "released", Policy: "metered", At: at,
		})
		o.recorded(receipt.Position, err)
		return err
	}
	receipt, err := o.Ledger.SettleCredits(ctx, c, account.Settle{
		Reservation: reservation, Charge: domain.Credits(ending.charge()), Policy: "metered", At: at,
	})
	o.recorded(receipt.Position, err)
	return err
}
