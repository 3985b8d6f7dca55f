package queries

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// Month is a month of the statement. It begins with what the month before has ended with.
type Month struct {
	First   time.Time // its first day, midnight UTC
	Opening Funds
	Closing Funds
	// Kinds are the sums of the lines by kind, sorted by kind. A kind without lines is left out.
	Kinds []KindTotal
}

// Funds are what an account has, as the books say: see Line.
type Funds struct {
	Available domain.Credits
	Reserved  domain.Credits
}

// KindTotal sums up the lines of one kind.
type KindTotal struct {
	Kind     string
	Lines    int64
	Amount   domain.Credits
	Returned domain.Credits
	Waived   domain.Credits
}

// MonthPage is a month with a page of its lines, oldest first.
type MonthPage struct {
	Month
	Lines []Line
	Next  string // empty on the last page
}

// Months returns all months with lines, newest first.
func (s *Service) Months(ctx context.Context, r Read) ([]Month, As, error) {
	var months []Month
	as, err := s.list(ctx, r, []projections.Progress{s.views.statement}, func(v projections.Snapshot) error {
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sqlMonths, r.Account, MonthsMax)
		var err error
		if months, err = pgx.CollectRows(rows, scanMonth); err != nil {
			return fmt.Errorf("read the months: %w", err)
		}
		return sumKinds(ctx, v, r.Account, months)
	})
	return months, as, err
}

// MonthsMax is how many months are listed: twenty years.
const MonthsMax = 240

// Month returns the month that a time lies in, with its lines in the order in which they were booked. A month without
// lines begins and ends with what came before.
func (s *Service) Month(ctx context.Context, r Read, at time.Time, p Page) (MonthPage, As, error) {
	limit, err := p.size()
	if err != nil {
		return MonthPage{}, As{}, err
	}
	first := time.Date(at.UTC().Year(), at.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	filter := []any{"month", r.Account, first}
	after := int64(0)
	if p.Cursor != "" {
		if err := s.openCursor(p.Cursor, filter, &after); err != nil {
			return MonthPage{}, As{}, err
		}
	}
	var page MonthPage
	as, err := s.list(ctx, r, []projections.Progress{s.views.statement}, func(v projections.Snapshot) error {
		page = MonthPage{}
		if page.Month, err = readMonth(ctx, v, r.Account, first); err != nil {
			return err
		}
		// Query reports its error through the rows.
		rows, _ := v.Query(ctx, sqlMonthLines, r.Account, first, after, limit+1)
		if page.Lines, err = pgx.CollectRows(rows, scanLine); err != nil {
			return fmt.Errorf("read the lines of a month: %w", err)
		}
		return nil
	})
	if len(page.Lines) > limit {
		page.Lines = page.Lines[:limit]
		page.Next = s.sealCursor(filter, page.Lines[limit-1].Position.Pos)
	}
	return page, as, err
}

const (
	sqlMonthColumns = `SELECT month, available_before, reserved_before, available_after, reserved_after FROM months
		WHERE account = $1`
	sqlMonths = sqlMonthColumns + ` ORDER BY month DESC LIMIT $2`
	sqlMonth  = sqlMonthColumns + ` AND month <= $2 ORDER BY month DESC LIMIT 1`
	sqlKinds  = `SELECT month, kind, lines, amount, returned, waived FROM month_kinds
		WHERE account = $1 AND month = ANY($2) ORDER BY month DESC, kind`
	sqlMonthLines = `SELECT l.shard, l.pos, l.event, l.kind, l.amount, l.returned, l.waived, l.available_before,
		l.available_after, l.reserved_before, l.reserved_after, l.generation, l.grant_id, l.cause, l.at, l.postings
		FROM months m JOIN lines l ON l.account = m.account AND l.pos BETWEEN m.first_pos AND m.last_pos
		WHERE m.account = $1 AND m.month = $2 AND l.pos > $3 ORDER BY l.pos LIMIT $4`
)

func scanMonth(row pgx.CollectableRow) (Month, error) {
	var m Month
	err := row.Scan(&m.First, &m.Opening.Available, &m.Opening.Reserved, &m.Closing.Available, &m.Closing.Reserved)
	return m, err
}

func readMonth(ctx context.Context, v projections.Snapshot, account domain.AccountID, first time.Time) (Month, error) {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sqlMonth, account, first)
	m, err := pgx.CollectExactlyOneRow(rows, scanMonth)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Month{First: first}, nil
	case err != nil:
		return m, fmt.Errorf("read a month: %w", err)
	case m.First.Before(first):
		return Month{First: first, Opening: m.Closing, Closing: m.Closing}, nil
	}
	months := []Month{m}
	err = sumKinds(ctx, v, account, months)
	return months[0], err
}

// sumKinds reads the totals by kind of months that are sorted, the newest first.
func sumKinds(ctx context.Context, v projections.Snapshot, account domain.AccountID, months []Month) error {
	firsts := make([]time.Time, len(months))
	for i, m := range months {
		firsts[i] = m.First
	}
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sqlKinds, account, firsts)
	var first time.Time
	var k KindTotal
	i := 0
	_, err := pgx.ForEachRow(rows, []any{&first, &k.Kind, &k.Lines, &k.Amount, &k.Returned, &k.Waived}, func() error {
		for months[i].First.After(first) {
			i++
		}
		months[i].Kinds = append(months[i].Kinds, k)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the totals of months: %w", err)
	}
	return nil
}
