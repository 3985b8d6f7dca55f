package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
)

// OpenAccount opens the caller's account on the free plan and grants the plan's credits.
type OpenAccount struct {
	Name  string
	Grant domain.GrantID
	At    time.Time
}

// OpenedAccount is the account as it was opened.
type OpenedAccount struct {
	Account domain.AccountID `json:"account"`
	Plan    string           `json:"plan"`
	Tier    domain.Tier      `json:"tier"`
	Limits  account.Limits   `json:"limits"`
	Credits domain.Credits   `json:"credits"`
	At      time.Time        `json:"at"`
}

// OpenAccount runs the use case. The name is personal data and not part of the recorded outcome.
func (l *Ledger) OpenAccount(ctx context.Context, c Caller, in OpenAccount) (Receipt[OpenedAccount], error) {
	plan, err := pricing.PlanByKey(pricing.PlanFree)
	if err != nil {
		return Receipt[OpenedAccount]{}, err
	}
	limits := account.Limits{Slots: plan.Slots, CreditLine: plan.CreditLine}
	return run(ctx, l, c, useCase[OpenedAccount]{
		name:    "open_account",
		streams: []string{eventstore.AccountStream(c.Account)},
		fresh:   eventstore.AccountStream(c.Account),
		seals:   true,
		decide: func(w *work) (OpenedAccount, error) {
			out := OpenedAccount{c.Account, plan.Key, plan.Tier, limits, plan.Credits, in.At}
			err := w.onAccount(account.Open{
				Account: c.Account, Name: in.Name, Plan: plan.Key, Tier: plan.Tier, Limits: limits, At: in.At,
			})
			if err != nil {
				return out, err
			}
			return out, w.onAccount(account.GrantCredits{
				Grant: in.Grant, Source: account.SourcePlan, Priority: account.PriorityUsual, Amount: plan.Credits,
				Effective: in.At, Reason: "plan " + plan.Key, At: in.At,
			})
		},
	})
}
