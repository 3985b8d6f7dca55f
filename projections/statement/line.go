package statement

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections"
)

// line is what an event says of itself.
type line struct {
	kind                     string
	amount, returned, waived domain.Credits
	generation               domain.GenerationID
	grant                    domain.GrantID
	cause                    string
	at                       time.Time
	postings                 []domain.Posting
}

// lineOf returns the line of an event, or nil for one that moves no credits.
func lineOf(e domain.Event) (*line, error) {
	var l line
	switch e := e.(type) {
	case account.Opened, account.TierChanged, account.ReservationExtended:
		return nil, nil
	case account.CreditsGranted:
		l = line{kind: "granted", amount: e.Amount, grant: e.Grant, cause: string(e.Source), at: e.At}
	case account.CreditsReserved:
		l = line{kind: "reserved", amount: e.Amount, generation: e.Generation, at: e.At}
	case account.CreditsSettled:
		l = line{kind: "settled", amount: account.Total(e.Charged), returned: account.Total(e.Returned),
			waived: e.Waived, generation: e.Generation, cause: e.Policy, at: e.At}
	case account.CreditsReleased:
		l = line{kind: "released", amount: account.Total(e.Slices), generation: e.Generation, cause: e.Reason, at: e.At}
	case account.ReservationExpired:
		l = line{kind: "reservation_expired", amount: account.Total(e.Slices), generation: e.Generation, at: e.At}
	case account.GrantExpired:
		l = line{kind: "grant_expired", amount: e.Amount, grant: e.Grant, at: e.At}
	default:
		return nil, fmt.Errorf("the view does not know %T", e)
	}
	l.postings = append([]domain.Posting{}, e.(domain.Posted).Postings()...)
	return &l, nil
}

const sqlLines = `INSERT INTO lines (shard, pos, account, event, kind, amount, returned, waived,
	available_before, available_after, reserved_before, reserved_after, generation, grant_id, cause, at,
	postings)
	SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
		$8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[],
		$15::text[], $16::timestamptz[], $17::jsonb[])`

// columns are the lines of a batch.
type columns struct {
	shard                                                int
	pos, amount, returned, waived                        []int64
	availableBefore, available, reservedBefore, reserved []int64
	account, event, kind, generation, grant, cause       []string
	at                                                   []time.Time
	postings                                             [][]byte
}

func (c *columns) add(e projections.Event, l *line, before, after totals) error {
	postings, err := json.Marshal(l.postings)
	if err != nil {
		return fmt.Errorf("encode postings: %w", err)
	}
	c.pos = append(c.pos, e.Pos)
	c.account = append(c.account, string(e.Meta.Account))
	c.event = append(c.event, e.Type)
	c.kind = append(c.kind, l.kind)
	c.amount = append(c.amount, int64(l.amount))
	c.returned = append(c.returned, int64(l.returned))
	c.waived = append(c.waived, int64(l.waived))
	c.availableBefore = append(c.availableBefore, int64(before.available))
	c.available = append(c.available, int64(after.available))
	c.reservedBefore = append(c.reservedBefore, int64(before.reserved))
	c.reserved = append(c.reserved, int64(after.reserved))
	c.generation = append(c.generation, string(l.generation))
	c.grant = append(c.grant, string(l.grant))
	c.cause = append(c.cause, projections.Text(l.cause))
	c.at = append(c.at, l.at)
	c.postings = append(c.postings, postings)
	return nil
}

func (c *columns) write(w *projections.Writes) {
	w.AddRows(len(c.pos), sqlLines, c.shard, c.pos, c.account, c.event, c.kind, c.amount, c.returned, c.waived,
		c.availableBefore, c.available, c.reservedBefore, c.reserved, c.generation, c.grant, c.cause, c.at,
		c.postings)
}
