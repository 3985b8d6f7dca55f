package statement

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
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
func (View) Version() int { return 2 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// Handles implements projections.Projection: all events of accounts, so that an unknown one is noticed.
func (View) Handles(eventType string) bool { return strings.HasPrefix(eventType, "account.") }

// totals are the running sums of an account.
type totals struct {
	shard               int
	available, reserved domain.Credits
}

const (
	sqlTotals     = `SELECT account, shard, available, reserved FROM totals WHERE account = ANY($1)`
	sqlSaveTotals = `INSERT INTO totals (shard, account, available, reserved) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account) DO UPDATE SET available = excluded.available, reserved = excluded.reserved`
	sqlLine = `INSERT INTO lines (shard, pos, account, event, kind, amount, returned, waived,
		available_before, available_after, reserved_before, reserved_after, generation, grant_id, cause, at, postings)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`
)

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	sums, err := load(ctx, tx, batch)
	if err != nil {
		return err
	}
	var w projections.Writes
	for _, e := range batch {
		l, err := lineOf(e.Event)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		sum := sums[e.Meta.Account]
		before := sum
		for _, p := range l.postings {
			switch p.Book {
			case domain.BookAvailable:
				sum.available += p.Amount
			case domain.BookReserved:
				sum.reserved += p.Amount
			case domain.BookIssuance, domain.BookConsumed, domain.BookBreakage, domain.BookDebt:
			}
		}
		sum.shard = e.Shard
		sums[e.Meta.Account] = sum
		w.AddOne(sqlLine, e.Shard, e.Pos, e.Meta.Account, e.Type, l.kind, l.amount, l.returned, l.waived,
			before.available, sum.available, before.reserved, sum.reserved, l.generation, l.grant,
			projections.Text(l.cause), l.at, l.postings)
	}
	for id, sum := range sums {
		w.AddOne(sqlSaveTotals, sum.shard, id, sum.available, sum.reserved)
	}
	return w.Run(ctx, tx)
}

func load(ctx context.Context, tx pgx.Tx, batch []projections.Event) (map[domain.AccountID]totals, error) {
	var ids []string
	for _, e := range batch {
		ids = append(ids, string(e.Meta.Account))
	}
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlTotals, ids)
	sums := map[domain.AccountID]totals{}
	var id domain.AccountID
	var sum totals
	_, err := pgx.ForEachRow(rows, []any{&id, &sum.shard, &sum.available, &sum.reserved}, func() error {
		sums[id] = sum
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the totals: %w", err)
	}
	return sums, nil
}

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
