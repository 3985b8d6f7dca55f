package commands

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds that tests reach.
const (
	QueueMax     = queueMax
	BatchMax     = batchMax
	BatchEvents  = batchEvents
	BatchBytes   = batchBytes
	RecentMax    = recentMax
	LookFirst    = lookFirst
	RepeatersMax = repeatersMax
	BesideMin    = besideMin
	TurnMax      = turnMax
)

// LoadsMax is how many commands may read at once.
func LoadsMax() int { return loadsMax() }

// Waiting returns how many commands wait to be appended, besides those that are being appended.
func (l *Ledger) Waiting() int {
	n := 0
	for _, a := range l.appenders {
		a.mu.Lock()
		n += a.open.commands + a.queued
		a.mu.Unlock()
	}
	return n
}

// OpenBytes returns how many bytes the commands that wait to be appended have.
func (l *Ledger) OpenBytes() int64 {
	var n int64
	for _, a := range l.appenders {
		a.mu.Lock()
		n += a.open.bytes.Load()
		a.mu.Unlock()
	}
	return n
}

// Rest returns what the ledger holds on to that no command needs. It is empty while no command is on its way.
func (l *Ledger) Rest() string {
	for _, a := range l.appenders {
		a.mu.Lock()
		left := fmt.Sprintf("busy=%d blocked=%d keys=%d queued=%d open=%d gathering=%t looking=%t", a.states.busy,
			len(a.blocked), a.keys.waiting(), a.queued, a.open.commands, a.gathering != nil, a.looking)
		weight := 0
		for _, e := range a.states.all {
			if e.users == 0 {
				weight += e.weighs
			}
		}
		if weight != a.states.weight {
			left = fmt.Sprintf("the idle states weigh %d, not %d", weight, a.states.weight)
		}
		a.mu.Unlock()
		if left != "busy=0 blocked=0 keys=0 queued=0 open=0 gathering=false looking=false" {
			return left
		}
	}
	return ""
}

// waiting returns how many keys of commands on their way there are.
func (k *keys) waiting() int { return len(k.all) - len(k.recent) }

// Forget drops every state that no command uses, and every outcome, as the bounds might at any time.
func (l *Ledger) Forget() {
	for _, a := range l.appenders {
		a.mu.Lock()
		for _, e := range a.states.all {
			if e.users == 0 {
				a.states.weight -= e.weighs
				a.states.forget(e)
			}
		}
		for _, k := range a.keys.recent {
			delete(a.keys.all, k.key)
		}
		a.keys.recent, a.keys.oldest = nil, 0
		a.mu.Unlock()
	}
}

// Claim claims one job for the worker, and unlike ClaimGeneration says why it could not.
func (l *Ledger) Claim(ctx context.Context, c Caller, in ClaimGeneration, id domain.GenerationID) (Claim, error) {
	return l.claim(ctx, c, in, Candidate{Generation: id, Account: eventstore.HashAccount(c.Account)})
}

// GrantAfter grants credits after a look at the account, which may be its end.
func (l *Ledger) GrantAfter(
	ctx context.Context, c Caller, in account.GrantCredits, look func(*account.State),
) (Receipt[Granted], error) {
	return run(ctx, l, c, useCase[Granted]{
		name:    "grant_credits",
		streams: []string{eventstore.AccountStream(c.Account)},
		decide: func(w *work) (Granted, error) {
			look(w.account.state)
			return Granted{in.Grant, in.Amount}, w.onAccount(in)
		},
	})
}
