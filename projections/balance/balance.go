package balance

import (
	"context"
	_ "embed" // for schema.sql
	"fmt"
	"slices"
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

var _ projections.Operated = View{}

// New returns the projection.
func New() View { return View{} }

// Name implements projections.Projection.
func (View) Name() string { return "balance" }

// Version implements projections.Projection.
func (View) Version() int { return 2 }

// Schema implements projections.Projection.
func (View) Schema() string { return ddl }

// OperatorTables implements projections.Operated: what runs out by time is made visible, whoever has it.
func (View) OperatorTables() []string { return []string{"grants", "reservations"} }

// Handles implements projections.Projection: all events of accounts, so that an unknown one is noticed.
func (View) Handles(eventType string) bool { return strings.HasPrefix(eventType, "account.") }

// Apply implements projections.Projection.
func (View) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	var w projections.Writes
	versions := map[domain.AccountID]int64{}
	for _, e := range batch {
		if err := apply(&w, e); err != nil {
			return err
		}
		versions[e.Meta.Account] = e.Version
	}
	for id, version := range versions {
		w.AddOne(sqlVersion, id, version)
	}
	return w.Run(ctx, tx)
}

const (
	sqlOpen = `INSERT INTO accounts
		(shard, account, version, name, plan, tier, slots, credit_line, opened_at)
		VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8)`
	sqlVersion    = `UPDATE accounts SET version = $2 WHERE account = $1`
	sqlChangeTier = `UPDATE accounts SET plan = $2, tier = $3, slots = $4, credit_line = $5 WHERE account = $1`
	sqlCreditLine = `INSERT INTO credit_lines (shard, account, pos, at, credit_line) VALUES ($1, $2, $3, $4, $5)`
	sqlGrant      = `INSERT INTO grants (shard, account, grant_id, pos, at, source, priority, amount, repaid_line,
		effective_at, expires_at, models, operations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlReserve = `INSERT INTO reservations
		(shard, account, reservation, generation, at, expires_at, slice_grants, slice_amounts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	sqlExtend = `UPDATE reservations SET expires_at = $3 WHERE account = $1 AND reservation = $2`
	sqlEnd    = `UPDATE reservations SET ended_at = $3 WHERE account = $1 AND reservation = $2 AND ended_at IS NULL`
)

func apply(w *projections.Writes, e projections.Event) error {
	id := e.Meta.Account
	switch event := e.Event.(type) {
	case account.Opened:
		w.AddOne(sqlOpen, e.Shard, id, projections.Text(event.Name), event.Plan, event.Tier, event.Limits.Slots,
			event.Limits.CreditLine, event.At)
		w.AddOne(sqlCreditLine, e.Shard, id, e.Pos, event.At, event.Limits.CreditLine)
		line := account.CreditsGranted{Grant: account.LineGrant, Priority: account.PriorityLast,
			Effective: event.At, At: event.At}
		addGrant(w, e, line)
	case account.TierChanged:
		w.AddOne(sqlChangeTier, id, event.Plan, event.Tier, event.Limits.Slots, event.Limits.CreditLine)
		w.AddOne(sqlCreditLine, e.Shard, id, e.Pos, event.At, event.Limits.CreditLine)
	case account.CreditsGranted:
		addGrant(w, e, event)
		move(w, e, event, event.At)
	case account.CreditsReserved:
		grants, amounts := columns(event.Slices)
		w.AddOne(sqlReserve, e.Shard, id, event.Reservation, event.Generation, event.At, event.Expires, grants, amounts)
		move(w, e, event, event.At)
	case account.ReservationExtended:
		w.AddOne(sqlExtend, id, event.Reservation, event.Expires)
	case account.CreditsSettled:
		if !event.Late {
			w.AddOne(sqlEnd, id, event.Reservation, event.At)
		}
		move(w, e, event, event.At)
	case account.CreditsReleased:
		w.AddOne(sqlEnd, id, event.Reservation, event.At)
		move(w, e, event, event.At)
	case account.ReservationExpired:
		w.AddOne(sqlEnd, id, event.Reservation, event.At)
		move(w, e, event, event.At)
	case account.GrantExpired:
		move(w, e, event, event.At)
	default:
		return fmt.Errorf("the view does not know %T", event)
	}
	return nil
}

func addGrant(w *projections.Writes, e projections.Event, g account.CreditsGranted) {
	w.AddOne(sqlGrant, e.Shard, e.Meta.Account, g.Grant, e.Pos, g.At, g.Source, g.Priority, g.Amount, g.RepaysLine,
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

func columns(parts []account.Slice) (grants []string, amounts []int64) {
	for _, p := range parts {
		grants, amounts = append(grants, string(p.Grant)), append(amounts, int64(p.Amount))
	}
	return grants, amounts
}

const (
	sqlMovement = `INSERT INTO movements
		(shard, account, pos, grant_id, at, available, reserved, consumed, expired)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	sqlMove = `UPDATE grants SET available = available + $3, reserved = reserved + $4, consumed = consumed + $5,
		expired = expired + $6 WHERE account = $1 AND grant_id = $2`
)

// delta is what one event does to one grant.
type delta struct {
	grant                                  domain.GrantID
	available, reserved, consumed, expired domain.Credits
}

// move writes the movements of an event, one for each grant.
func move(w *projections.Writes, e projections.Event, p domain.Posted, at time.Time) {
	for _, d := range deltas(p) {
		w.AddOne(sqlMovement, e.Shard, e.Meta.Account, e.Pos, d.grant, at,
			d.available, d.reserved, d.consumed, d.expired)
		w.AddOne(sqlMove, e.Meta.Account, d.grant, d.available, d.reserved, d.consumed, d.expired)
	}
}

func deltas(p domain.Posted) []delta {
	var all []delta
	of := func(grant domain.GrantID) *delta {
		i := slices.IndexFunc(all, func(d delta) bool { return d.grant == grant })
		if i < 0 {
			i, all = len(all), append(all, delta{grant: grant})
		}
		return &all[i]
	}
	for _, posting := range p.Postings() {
		switch posting.Book {
		case domain.BookAvailable:
			of(posting.Grant).available += posting.Amount
		case domain.BookReserved:
			of(posting.Grant).reserved += posting.Amount
		case domain.BookConsumed:
			of(posting.Grant).consumed += posting.Amount
		case domain.BookBreakage:
			of(posting.Grant).expired += posting.Amount
		case domain.BookIssuance, domain.BookDebt: // not of a grant's credits
		}
	}
	if g, ok := p.(account.CreditsGranted); ok && g.RepaysLine > 0 {
		of(g.Grant).available -= g.RepaysLine
		of(account.LineGrant).available += g.RepaysLine
	}
	return all
}
