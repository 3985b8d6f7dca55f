package cleanup

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
)

// DueJob is a job that time has moved on.
type DueJob struct {
	Generation domain.GenerationID
	Account    domain.AccountID
}

// Due is what time has ended and nobody has made visible yet, oldest first.
type Due struct {
	Leases    []DueJob           // running jobs whose lease has run out
	Deadlines []DueJob           // open jobs past their deadline
	Accounts  []domain.AccountID // accounts with grants or reservations that have run out
}

// Schedule is a view of what is due.
type Schedule interface {
	// Due returns a bounded part of what is due at a time.
	Due(ctx context.Context, now time.Time) (Due, error)
}

// Ledger makes it visible. All of these change nothing if nothing is due. *commands.Ledger is one.
type Ledger interface {
	EndLease(
		ctx context.Context, c commands.Caller, id domain.GenerationID, at time.Time,
	) (commands.Receipt[commands.Ended], error)
	ExpireGeneration(
		ctx context.Context, c commands.Caller, id domain.GenerationID, at time.Time,
	) (commands.Receipt[commands.Ended], error)
	ExpireDue(ctx context.Context, c commands.Caller, at time.Time) (commands.Receipt[int], error)
}
