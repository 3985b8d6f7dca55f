package generations

import (
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections"
)

const (
	sqlReserve = `INSERT INTO settlements
		(shard, generation, account, pos, quoted, reserved, settled, released, waived)
		VALUES ($1, $2, $3, $4, $5, $5, 0, 0, 0)`
	sqlSettle = `UPDATE settlements SET pos = $2, reserved = reserved + $3, settled = settled + $4,
		released = released + $5, waived = waived + $6 WHERE generation = $1`
	sqlPosting = `INSERT INTO postings (shard, pos, n, account, generation, event, book, grant_id, amount, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
)

// change is what an event adds to the figures of a settlement.
type change struct {
	generation                          domain.GenerationID
	reserved, settled, released, waived domain.Credits
	at                                  time.Time
}

func applySettlement(w *projections.Writes, e projections.Event) error {
	var c change
	switch event := e.Event.(type) {
	case account.Opened, account.TierChanged, account.ReservationExtended, account.CreditsGranted, account.GrantExpired:
		return nil
	case account.CreditsReserved:
		if event.Generation == "" {
			return nil
		}
		w.AddOne(sqlReserve, e.Shard, event.Generation, e.Meta.Account, e.Pos, event.Amount)
		addPostings(w, e, event.Generation, event.At)
		return nil
	case account.CreditsSettled:
		c = settled(event)
	case account.CreditsReleased:
		c = givenBack(event.Generation, event.Slices, event.At)
	case account.ReservationExpired:
		c = givenBack(event.Generation, event.Slices, event.At)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	if c.generation == "" { // for work that is done elsewhere
		return nil
	}
	w.AddOne(sqlSettle, c.generation, e.Pos, c.reserved, c.settled, c.released, c.waived)
	addPostings(w, e, c.generation, c.at)
	return nil
}

// settled of a late settlement takes back a part of what the expiry has given back.
func settled(e account.CreditsSettled) change {
	charged, returned := account.Total(e.Charged), account.Total(e.Returned)
	c := change{generation: e.Generation, settled: charged, released: returned, waived: e.Waived, at: e.At}
	if e.Late {
		c.released = -charged
	} else {
		c.reserved = -charged - returned
	}
	return c
}

func givenBack(id domain.GenerationID, parts []account.Slice, at time.Time) change {
	total := account.Total(parts)
	return change{generation: id, reserved: -total, released: total, at: at}
}

func addPostings(w *projections.Writes, e projections.Event, id domain.GenerationID, at time.Time) {
	for n, p := range e.Event.(domain.Posted).Postings() {
		w.AddOne(sqlPosting, e.Shard, e.Pos, n, e.Meta.Account, id, e.Type, p.Book, p.Grant, p.Amount, at)
	}
}
