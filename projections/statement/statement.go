package statement

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

//go:embed schema.sql
var ddl string

// View is the projection.
type View struct{}

var _ projections.Projection = View{}

// New returns the projection.
func New() View { return View{} }

// Name implements projections.Projection.
func (View) Name() string { return "statement" }

// Version implements projections.Projection.
func (View) Version() int { return 3 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Handles implements projections.Projection: all events of accounts, so that an unknown one is noticed.
func (View) Handles(eventType string) bool { return strings.HasPrefix(eventType, "account.") }

// totals are the running sums of an account.
type totals struct {
	available, reserved domain.Credits
	month               time.Time // of the last line
}

const (
	sqlTotals     = `SELECT account, available, reserved, month FROM totals WHERE account = ANY($1)`
	sqlSaveTotals = `INSERT INTO totals (shard, account, available, reserved, month)
		SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::date[])
		ON CONFLICT (account) DO UPDATE
		SET available = excluded.available, reserved = excluded.reserved, month = excluded.month`
)

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	sums, err := load(ctx, tx, batch)
	if err != nil {
		return err
	}
	c := &columns{shard: batch[0].Shard}
	m := newMonths(c.shard)
	for _, e := range batch {
		l, err := lineOf(e.Event)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		before := sums[e.Meta.Account]
		after := before.after(l)
		sums[e.Meta.Account] = after
		if err := c.add(e, l, before, after); err != nil {
			return err
		}
		m.add(e, l, before, after)
	}
	var w projections.Writes
	c.write(&w)
	m.write(&w)
	var ids []string
	var available, reserved []int64
	var months []time.Time
	for id, sum := range sums {
		ids, months = append(ids, string(id)), append(months, sum.month)
		available, reserved = append(available, int64(sum.available)), append(reserved, int64(sum.reserved))
	}
	w.AddRows(len(ids), sqlSaveTotals, c.shard, ids, available, reserved, months)
	return w.Run(ctx, tx)
}

// after returns the totals with a line added.
func (t totals) after(l *line) totals {
	if at := monthOf(l.at); at.After(t.month) {
		t.month = at
	}
	for _, p := range l.postings {
		switch p.Book {
		case domain.BookAvailable:
			t.available += p.Amount
		case domain.BookReserved:
			t.reserved += p.Amount
		case domain.BookIssuance, domain.BookConsumed, domain.BookBreakage, domain.BookDebt:
		}
	}
	return t
}

func load(ctx context.Context, tx pgx.Tx, batch []projections.Event) (map[domain.AccountID]totals, error) {
	var ids []string
	for _, e := range batch {
		ids = append(ids, string(e.Meta.Account))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlTotals, ids)
	sums := map[domain.AccountID]totals{}
	var id domain.AccountID
	var sum totals
	_, err := pgx.ForEachRow(rows, []any{&id, &sum.available, &sum.reserved, &sum.month}, func() error {
		sums[id] = sum
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the totals: %w", err)
	}
	return sums, nil
}
