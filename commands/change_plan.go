package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// ChangePlan gives the caller's account the tier and limits of a plan. It grants nothing.
func (l *Ledger) ChangePlan(ctx context.Context, c Caller, plan string, at time.Time) (Receipt[pricing.Plan], error) {
	p, err := pricing.PlanByKey(plan)
	if err != nil {
		return Receipt[pricing.Plan]{}, err
	}
	return run(ctx, l, c, useCase[pricing.Plan]{
		name:    "change_plan",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide: func(w *work) (pricing.Plan, error) {
			return p, w.onAccount(account.ChangeTier{
				Plan: p.Key, Tier: p.Tier, Limits: account.Limits{Slots: p.Slots, CreditLine: p.CreditLine}, At: at,
			})
		},
	})
}
