package queries

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// Account is an account's facts.
type Account struct {
	ID         domain.AccountID
	Name       string
	Plan       string
	Tier       domain.Tier
	Slots      int
	CreditLine domain.Credits
	OpenedAt   time.Time
	// Version is that of the account's stream.
	Version int64
}

// Account returns the account, or CodeNotFound.
func (s *Service) Account(ctx context.Context, r Read) (Account, As, error) {
	var a Account
	as, err := s.one(ctx, r, []projections.Progress{s.views.balance}, func(v projections.Snapshot) (err error) {
		a, err = readAccount(ctx, v, r.Account)
		return err
	})
	return a, as, err
}

const sqlAccount = `SELECT account, name, plan, tier, slots, credit_line, opened_at, version
	FROM accounts WHERE account = $1`

func readAccount(ctx context.Context, db projections.Database, id domain.AccountID) (Account, error) {
	// Query reports its error through the rows.
	rows, _ := db.Query(ctx, sqlAccount, id)
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Account])
	a.OpenedAt = a.OpenedAt.UTC()
	return a, found(err, "there is no such account")
}
