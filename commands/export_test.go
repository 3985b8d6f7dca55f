package commands

import (
	"context"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

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

// Claim claims one job for the worker, and unlike ClaimGeneration says why it could not.
func (l *Ledger) Claim(ctx context.Context, c Caller, in ClaimGeneration, id domain.GenerationID) (Claim, error) {
	return l.claim(ctx, c, in, Candidate{Generation: id, Account: eventstore.HashAccount(c.Account)})
}
