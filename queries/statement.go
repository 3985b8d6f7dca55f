package queries

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// Posting is one line of the double-entry ledger.
type Posting struct {
	Position eventstore.Position
	Event    string // wire name
	Book     domain.Book
	Grant    domain.GrantID // account.LineGrant stands for the credit line
	Amount   domain.Credits
	At       time.Time
}

// Line is one movement of credits.
type Line struct {
	Position eventstore.Position
	Event    string // wire name
	// Kind is granted, reserved, settled, released, reservation_expired or grant_expired.
	Kind string
	// Amount is what moved; for settled, what was charged.
	Amount   domain.Credits
	Returned domain.Credits // by a settlement
	Waived   domain.Credits // by a late settlement
	// Available and reserved according to the books: the used credit line is taken off, scheduled grants count.
	AvailableBefore domain.Credits
	AvailableAfter  domain.Credits
	ReservedBefore  domain.Credits
	ReservedAfter   domain.Credits
	Generation      domain.GenerationID // empty if none
	Grant           domain.GrantID      // empty if not of one grant
	// Cause is the grant's source, the reason of a release, the policy of a settlement, or empty.
	Cause    string
	At       time.Time
	Postings []Posting
}

// StatementQuery asks for lines.
type StatementQuery struct {
	Page
	Generation domain.GenerationID // empty means all
}

// StatementPage is a page of lines, newest first.
type StatementPage struct {
	Lines []Line
	Next  string // empty on the last page
}

// Statement returns the movements of the account's credits, newest first.
func (s *Service) Statement(ctx context.Context, r Read, q StatementQuery) (StatementPage, As, error) {
	limit, err := q.size()
	if err != nil {
		return StatementPage{}, As{}, err
	}
	filter := []any{"statement", r.Account, q.Generation}
	before := int64(math.MaxInt64)
	if q.Cursor != "" {
		if err := s.openCursor(q.Cursor, filter, &before); err != nil {
			return StatementPage{}, As{}, err
		}
	}
	var page StatementPage
	as, err := s.list(ctx, r, []projections.Progress{s.views.statement}, func(v projections.Snapshot) (err error) {
		sql, args := sqlStatement, []any{r.Account, before, limit + 1}
		if q.Generation != "" {
			sql, args = sqlStatementOf, append(args, projections.Text(string(q.Generation)))
		}
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sql, args...)
		page.Lines, err = pgx.CollectRows(rows, scanLine)
		return err
	})
	if len(page.Lines) > limit {
		page.Lines = page.Lines[:limit]
		page.Next = s.sealCursor(filter, page.Lines[limit-1].Position.Pos)
	}
	return page, as, err
}

const (
	sqlLines = `SELECT shard, pos, event, kind, amount, returned, waived, available_before, available_after,
		reserved_before, reserved_after, generation, grant_id, cause, at, postings FROM lines
		WHERE account = $1 AND pos < $2`
	sqlStatement   = sqlLines + ` ORDER BY pos DESC LIMIT $3`
	sqlStatementOf = sqlLines + ` AND generation = $4 AND generation <> '' ORDER BY pos DESC LIMIT $3`
)

func scanLine(row pgx.CollectableRow) (Line, error) {
	var l Line
	var postings []domain.Posting
	err := row.Scan(&l.Position.Shard, &l.Position.Pos, &l.Event, &l.Kind, &l.Amount, &l.Returned, &l.Waived,
		&l.AvailableBefore, &l.AvailableAfter, &l.ReservedBefore, &l.ReservedAfter, &l.Generation, &l.Grant, &l.Cause,
		&l.At, &postings)
	l.At = l.At.UTC()
	for _, p := range postings {
		l.Postings = append(l.Postings, Posting{
			Position: l.Position, Event: l.Event, Book: p.Book, Grant: p.Grant, Amount: p.Amount, At: l.At,
		})
	}
	return l, err
}
