package settle

import (
	"context"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// Ledger is the part of commands.Ledger that settling needs.
type Ledger interface {
	Owner(ctx context.Context, c commands.Candidate) (domain.AccountID, error)
	CompleteGeneration(
		ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.Complete,
	) (commands.Receipt[commands.Ended], error)
	FailGeneration(
		ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.Fail,
	) (commands.Receipt[commands.Ended], error)
	HandBackGeneration(
		ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.HandBack,
	) (commands.Receipt[commands.Ended], error)
}
