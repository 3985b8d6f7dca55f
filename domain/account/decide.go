package account

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// Decider returns the account's decider.
func Decider() domain.Decider[*State, Command] {
	return domain.Decider[*State, Command]{Initial: Initial, Decide: Decide, Evolve: Evolve, Check: Check}
}

// Decide says which events a command causes. Whatever time has ended is decided first, so no answer depends on when a
// sweeper ran. The checks go in this order: the account exists, the command's own fields, limits, credits.
func Decide(s *State, c Command) ([]domain.Event, error) {
	if open, ok := c.(Open); ok {
		return decideOpen(s, open)
	}
	if !s.Exists() {
		return nil, domain.Errorf(domain.CodeNotFound, "there is no such account")
	}
	switch c := c.(type) {
	case GrantCredits:
		events, s := s.age(c.At)
		return then(events)(s.grant(c))
	case Reserve:
		events, s := s.age(c.At)
		return then(events)(s.reserve(c))
	case Extend:
		events, s := s.age(c.At)
		return then(events)(s.extend(c))
	case Settle:
		events, s := s.age(c.At)
		return then(events)(s.settle(c))
	case Release:
		events, s := s.age(c.At)
		return then(events)(s.release(c))
	case ExpireDue:
		events, _ := s.age(c.At)
		return events, nil
	case ChangeTier:
		return s.changeTier(c)
	}
	panic(fmt.Sprintf("account: command %T is not decided", c))
}

// then puts the events that were due before the events of the decision. A refusal records nothing, not even those.
func then(due []domain.Event) func([]domain.Event, error) ([]domain.Event, error) {
	return func(events []domain.Event, err error) ([]domain.Event, error) {
		if err != nil || len(due) == 0 {
			return events, err
		}
		return append(due, events...), nil
	}
}

func decideOpen(s *State, c Open) ([]domain.Event, error) {
	if s.Exists() {
		return nil, domain.Errorf(domain.CodeConflict, "the account is open already")
	}
	if err := c.Account.Check(); err != nil {
		return nil, err
	}
	if err := checkPlan(c.Tier, c.Limits); err != nil {
		return nil, err
	}
	return []domain.Event{Opened(c)}, nil
}

func (s *State) changeTier(c ChangeTier) ([]domain.Event, error) {
	if err := checkPlan(c.Tier, c.Limits); err != nil {
		return nil, err
	}
	if s.Plan == c.Plan && s.Tier == c.Tier && s.Limits == c.Limits {
		return nil, nil
	}
	return []domain.Event{TierChanged(c)}, nil
}

func checkPlan(tier domain.Tier, limits Limits) error {
	if err := tier.Check(); err != nil {
		return err
	}
	if limits.Slots < 1 {
		return domain.Errorf(domain.CodeInvalid, "an account needs at least one slot, not %d", limits.Slots)
	}
	if limits.CreditLine < 0 || limits.CreditLine > domain.MaxCredits {
		return domain.Errorf(domain.CodeInvalid, "a credit line of %d credits is out of range", limits.CreditLine)
	}
	return nil
}

func (s *State) grant(c GrantCredits) ([]domain.Event, error) {
	if err := s.checkGrant(c); err != nil {
		return nil, err
	}
	var repays domain.Credits
	if c.Source == SourceTopUp {
		repays = min(c.Amount, s.lineOwed())
	}
	granted := CreditsGranted{
		Grant: c.Grant, Source: c.Source, Priority: c.Priority, Amount: c.Amount, Effective: c.Effective,
		Expires: c.Expires, Scope: c.Scope, RepaysLine: repays, Reason: c.Reason, At: c.At,
	}
	return []domain.Event{granted}, nil
}

func (s *State) checkGrant(c GrantCredits) error {
	if err := c.Grant.Check(); err != nil {
		return err
	}
	if _, ok := s.granted[c.Grant]; ok {
		return domain.Errorf(domain.CodeConflict, "grant %s was made already", c.Grant)
	}
	if err := c.Source.Check(); err != nil {
		return err
	}
	if c.Priority < PriorityFirst || c.Priority > PriorityLast {
		return domain.Errorf(domain.CodeInvalid, "a priority is between %d and %d, not %d",
			PriorityFirst, PriorityLast, c.Priority)
	}
	if err := c.Amount.CheckAmount("amount"); err != nil {
		return err
	}
	if _, err := s.Totals.Issuance.Add(-c.Amount); err != nil {
		return err
	}
	if !c.Expires.IsZero() && (!c.Expires.After(c.At) || !c.Expires.After(c.Effective)) {
		return domain.Errorf(domain.CodeInvalid, "a grant must expire after it is made and after it takes effect")
	}
	return nil
}

func (s *State) reserve(c Reserve) ([]domain.Event, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if s.open[c.Reservation] != nil || s.lapsed[c.Reservation] != nil {
		return nil, domain.Errorf(domain.CodeConflict, "reservation %s exists already", c.Reservation)
	}
	if len(s.open) >= s.Limits.Slots {
		return nil, &domain.Error{
			Code:   domain.CodeConcurrencyLimit,
			Msg:    fmt.Sprintf("%d generations are open and the plan allows %d", len(s.open), s.Limits.Slots),
			Detail: Busy{Open: len(s.open), Limit: s.Limits.Slots},
		}
	}
	parts := s.draw(c.Amount, c.Use, c.At)
	if have := Total(parts); have < c.Amount {
		return nil, &domain.Error{
			Code:   domain.CodeInsufficientCredits,
			Msg:    fmt.Sprintf("%d credits are needed and %d are available", c.Amount, have),
			Detail: Shortfall{Required: c.Amount, Available: have, Reserved: s.Totals.Reserved},
		}
	}
	reserved := CreditsReserved{
		Reservation: c.Reservation, Generation: c.Generation, Amount: c.Amount, Slices: parts, Use: c.Use,
		PriceBook: c.PriceBook, Quote: c.Quote, Expires: c.Expires, At: c.At,
	}
	return []domain.Event{reserved}, nil
}

func (c Reserve) check() error {
	if err := c.Reservation.Check(); err != nil {
		return err
	}
	if c.Generation != "" {
		if err := c.Generation.Check(); err != nil {
			return err
		}
	}
	if err := c.Amount.CheckAmount("amount"); err != nil {
		return err
	}
	if !c.Expires.After(c.At) {
		return domain.Errorf(domain.CodeInvalid, "a reservation must expire after it is made")
	}
	return nil
}
