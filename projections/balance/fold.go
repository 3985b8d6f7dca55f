package balance

import (
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections"
)

// fold is what a batch of events does to the rows: each row is written once, whatever happens to it within the batch.
type fold struct {
	shard int
	// writes begins with the statements for what seldom happens.
	writes    projections.Writes
	versions  map[domain.AccountID]int64
	grants    map[grantKey]*delta
	movements movements
	made      map[reservationKey]*reservation // in this batch
	order     []*reservation                  // made, in their order
	changed   map[reservationKey]*change      // reservations that were there before
}

type grantKey struct {
	account domain.AccountID
	grant   domain.GrantID
}

type reservationKey struct {
	account     domain.AccountID
	reservation domain.ReservationID
}

// reservation is a new row.
type reservation struct {
	reservationKey
	generation  domain.GenerationID
	at, expires time.Time
	ended       *time.Time
	slices      []account.Slice
}

// change is what happens to an older row.
type change struct{ expires, ended *time.Time }

func newFold(shard int) *fold {
	return &fold{
		shard: shard, versions: map[domain.AccountID]int64{}, grants: map[grantKey]*delta{},
		made: map[reservationKey]*reservation{}, changed: map[reservationKey]*change{},
	}
}

func (f *fold) add(e projections.Event) error {
	id := e.Meta.Account
	f.versions[id] = e.Version
	switch event := e.Event.(type) {
	case account.Opened:
		f.writes.AddOne(sqlOpen, e.Shard, id, projections.Text(event.Name), event.Plan, event.Tier, event.Limits.Slots,
			event.Limits.CreditLine, event.At)
		f.writes.AddOne(sqlCreditLine, e.Shard, id, e.Pos, event.At, event.Limits.CreditLine)
		line := account.CreditsGranted{Grant: account.LineGrant, Priority: account.PriorityLast,
			Effective: event.At, At: event.At}
		f.grant(e, line)
	case account.TierChanged:
		f.writes.AddOne(sqlChangeTier, id, event.Plan, event.Tier, event.Limits.Slots, event.Limits.CreditLine)
		f.writes.AddOne(sqlCreditLine, e.Shard, id, e.Pos, event.At, event.Limits.CreditLine)
	case account.CreditsGranted:
		f.grant(e, event)
		f.move(e, event, event.At)
	case account.CreditsReserved:
		f.reserve(reservation{
			reservationKey: reservationKey{id, event.Reservation}, generation: event.Generation, at: event.At,
			expires: event.Expires, slices: event.Slices,
		})
		f.move(e, event, event.At)
	case account.ReservationExtended:
		f.extend(reservationKey{id, event.Reservation}, event.Expires)
	case account.CreditsSettled:
		if !event.Late {
			f.end(reservationKey{id, event.Reservation}, event.At)
		}
		f.move(e, event, event.At)
	case account.CreditsReleased:
		f.end(reservationKey{id, event.Reservation}, event.At)
		f.move(e, event, event.At)
	case account.ReservationExpired:
		f.end(reservationKey{id, event.Reservation}, event.At)
		f.move(e, event, event.At)
	case account.GrantExpired:
		f.move(e, event, event.At)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	return nil
}

func (f *fold) grant(e projections.Event, g account.CreditsGranted) {
	f.writes.AddOne(sqlGrant, e.Shard, e.Meta.Account, g.Grant, e.Pos, g.At, g.Source, g.Priority, g.Amount, g.RepaysLine,
		g.Effective, never(g.Expires), list(g.Scope.Models), list(g.Scope.Operations))
}

// never turns the zero time into NULL.
func never(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func list(s []string) []string { return append([]string{}, s...) }

func (f *fold) reserve(r reservation) {
	f.made[r.reservationKey] = &r
	f.order = append(f.order, &r)
}

func (f *fold) extend(key reservationKey, expires time.Time) {
	if r := f.made[key]; r != nil {
		r.expires = expires
		return
	}
	f.of(key).expires = &expires
}

// end of a reservation that has ended already changes fewer rows than it should: the view has missed an event.
func (f *fold) end(key reservationKey, at time.Time) {
	if r := f.made[key]; r != nil {
		r.ended = &at
		return
	}
	f.of(key).ended = &at
}

func (f *fold) of(key reservationKey) *change {
	c := f.changed[key]
	if c == nil {
		c = &change{}
		f.changed[key] = c
	}
	return c
}

// move notes the movements of an event, one for each grant.
func (f *fold) move(e projections.Event, p domain.Posted, at time.Time) {
	for _, d := range deltas(p) {
		f.movements.add(e, d, at)
		key := grantKey{e.Meta.Account, d.grant}
		if sum := f.grants[key]; sum != nil {
			sum.available += d.available
			sum.reserved += d.reserved
			sum.consumed += d.consumed
			sum.expired += d.expired
		} else {
			f.grants[key] = &d
		}
	}
}
