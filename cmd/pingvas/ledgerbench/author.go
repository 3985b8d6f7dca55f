package ledgerbench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// Author writes the history of one account as the ledger would have written it, without the ledger: the deciders of
// domain decide, the codec encodes, and the events follow each other.
type Author struct {
	id      domain.AccountID
	number  int
	codec   *eventstore.Codec
	state   *account.State
	version int64
	saved   int64 // version of the newest snapshot
	pick    *picker
	hold    domain.ReservationID // to be ended next, or empty
}

// NewAuthor returns the author of an account that has no events yet.
func NewAuthor(codec *eventstore.Codec, number int) *Author {
	return &Author{
		id: AccountID(number), number: number, codec: codec, state: account.Initial(),
		pick: Workload{Accounts: 1}.picker(),
	}
}

// Version returns how many events were written, and State how the account stands after them.
func (a *Author) Version() int64 { return a.version }

// State returns the account after what was written. It must not be changed.
func (a *Author) State() *account.State { return a.state }

// Open begins the history.
func (a *Author) Open(ctx context.Context) (eventstore.Unit, error) {
	u := eventstore.Unit{Account: a.id}
	open, grant := opening(a.id, a.number, now())
	if err := a.do(ctx, &u, "import_account", open); err != nil {
		return u, err
	}
	return u, a.do(ctx, &u, "import_account", grant)
}

// Commands adds commands of the workload to a unit: reservations and their ends in turn, each with its outcome.
func (a *Author) Commands(ctx context.Context, u *eventstore.Unit, n int) error {
	u.Account = a.id
	for range n {
		name, command := a.command()
		before := len(u.Events)
		if err := a.do(ctx, u, name, command); err != nil {
			return err
		}
		u.Outcomes = append(u.Outcomes, eventstore.NewOutcome{
			Key: name + " " + a.pick.id(), RequestHash: eventstore.RequestHash{1}, Events: len(u.Events),
			Span: len(u.Events) - before,
		})
	}
	return nil
}

// command returns the next command with its name.
func (a *Author) command() (string, account.Command) {
	at := now()
	if a.hold == "" {
		a.hold = domain.ReservationID(domain.PrefixReservation + a.pick.id())
		c := account.Reserve{
			Reservation: a.hold, Amount: reserveAmount, Use: account.Use{Model: "sdxl-1.0", Operation: "text_to_image"},
			PriceBook: "metered", Expires: at.Add(reservationTTL), At: at,
		}
		return "reserve_credits", c
	}
	hold, ending := a.hold, a.pick.ending()
	a.hold = ""
	if ending == Release {
		c := account.Release{Reservation: hold, Reason: "released", Policy: "metered", At: at}
		return "release_credits", c
	}
	charge := domain.Credits(ending.charge())
	c := account.Settle{Reservation: hold, Charge: charge, Policy: "metered", At: at}
	return "settle_credits", c
}

// do decides a command, folds its events and adds them to the unit.
func (a *Author) do(ctx context.Context, u *eventstore.Unit, name string, c account.Command) error {
	events, err := account.Decide(a.state, c)
	if err != nil {
		return fmt.Errorf("write a history: %w", err)
	}
	metadata, err := json.Marshal(eventstore.Metadata{Command: name, Actor: "bench"})
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	for _, e := range events {
		data, err := a.codec.Encode(ctx, a.id, e)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		a.state, a.version = account.Evolve(a.state, e), a.version+1
		u.Events = append(u.Events, eventstore.NewEvent{
			Stream: eventstore.AccountStream(a.id), Version: a.version, Type: e.EventName(), Data: data,
			Metadata: metadata,
		})
	}
	return nil
}

// save saves a snapshot of what was written.
func (a *Author) save(ctx context.Context, to eventstore.Snapshots, shard int) error {
	state, err := json.Marshal(a.state.Snapshot())
	if err != nil {
		return fmt.Errorf("encode a snapshot: %w", err)
	}
	a.saved = a.version
	return to.SaveSnapshots(ctx, []eventstore.Snapshot{{
		StreamVersion: eventstore.StreamVersion{Stream: eventstore.AccountStream(a.id), Version: a.version},
		Shard:         shard, Format: account.SnapshotFormat, State: state,
	}})
}

// byShard sorts authors of so many accounts into the shards of the accounts.
func byShard(codec *eventstore.Codec, first, accounts, shards int) [][]*Author {
	out := make([][]*Author, shards)
	for n := first; n < first+accounts; n++ {
		shard := eventstore.ShardOf(AccountID(n), shards)
		out[shard] = append(out[shard], NewAuthor(codec, n))
	}
	return out
}

// shuffled keeps authors from writing in the same order in every batch.
func shuffled(authors []*Author) []*Author {
	out := append([]*Author(nil), authors...)
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
