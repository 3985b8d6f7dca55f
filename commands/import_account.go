package commands

import (
	"context"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// ImportAccount opens the caller's account with given limits and a first grant, for customers who come from another
// system. CodeConflict if the account exists.
func (l *Ledger) ImportAccount(ctx context.Context, c Caller, open account.Open, grant account.GrantCredits) error {
	_, err := run(ctx, l, c, useCase[struct{}]{
		name:    "import_account",
		streams: []string{eventstore.AccountStream(c.Account)},
		fresh:   eventstore.AccountStream(c.Account),
		seals:   true,
		decide: func(w *work) (struct{}, error) {
			if err := w.onAccount(open); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, w.onAccount(grant)
		},
	})
	return err
}
