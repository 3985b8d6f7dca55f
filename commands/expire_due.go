package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// ExpireDue makes visible which reservations and grants of the caller's account time has ended, and returns how many.
// No answer depends on it.
func (l *Ledger) ExpireDue(ctx context.Context, c Caller, at time.Time) (Receipt[int], error) {
	return run(ctx, l, c, useCase[int]{
		name:    "expire_due",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide: func(w *work) (int, error) {
			err := w.onAccount(account.ExpireDue{At: at})
			return len(w.pending), err
		},
	})
}
