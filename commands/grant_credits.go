package commands

import (
	"context"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// Granted is a grant as it was made.
type Granted struct {
	Grant  domain.GrantID `json:"grant"`
	Amount domain.Credits `json:"amount"`
}

// GrantCredits gives the caller's account credits.
func (l *Ledger) GrantCredits(ctx context.Context, c Caller, in account.GrantCredits) (Receipt[Granted], error) {
	return run(ctx, l, c, useCase[Granted]{
		name:    "grant_credits",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide: func(w *work) (Granted, error) {
			return Granted{in.Grant, in.Amount}, w.onAccount(in)
		},
	})
}
