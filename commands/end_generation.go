package commands

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// CompleteGeneration ends a job with pictures and charges for them.
// A result that comes too late is CodeAlreadyEnded or CodeStaleAttempt and changes nothing.
func (l *Ledger) CompleteGeneration(
	ctx context.Context, c Caller, id domain.GenerationID, in generation.Complete,
) (Receipt[Ended], error) {
	return l.end(ctx, c, "complete_generation", id, in, in.At)
}

// FailGeneration ends a job without pictures. A result that comes too late is CodeAlreadyEnded or CodeStaleAttempt.
func (l *Ledger) FailGeneration(
	ctx context.Context, c Caller, id domain.GenerationID, in generation.Fail,
) (Receipt[Ended], error) {
	return l.end(ctx, c, "fail_generation", id, in, in.At)
}

// HandBackGeneration returns a job to the queue, or ends it after its last attempt.
func (l *Ledger) HandBackGeneration(
	ctx context.Context, c Caller, id domain.GenerationID, in generation.HandBack,
) (Receipt[Ended], error) {
	return l.end(ctx, c, "hand_back_generation", id, in, in.At)
}

// EndLease takes a job back from a worker whose lease has run out; otherwise it changes nothing.
func (l *Ledger) EndLease(
	ctx context.Context, c Caller, id domain.GenerationID, at time.Time,
) (Receipt[Ended], error) {
	return l.end(ctx, c, "end_lease", id, generation.EndLease{At: at}, at)
}

// ExpireGeneration ends a job whose deadline has passed; otherwise it changes nothing.
func (l *Ledger) ExpireGeneration(
	ctx context.Context, c Caller, id domain.GenerationID, at time.Time,
) (Receipt[Ended], error) {
	return l.end(ctx, c, "expire_generation", id, generation.Expire{At: at}, at)
}

// CancelGeneration ends a job at its owner's wish. Cancelling a cancelled job changes nothing and answers the same.
// CodePreconditionFailed if it would cost more than atMost; nil agrees to what the policy says.
func (l *Ledger) CancelGeneration(
	ctx context.Context, c Caller, id domain.GenerationID, atMost *domain.Credits, at time.Time,
) (Receipt[Ended], error) {
	return run(ctx, l, c, useCase[Ended]{
		name:    "cancel_generation",
		streams: endStreams(c, id),
		decide: func(w *work) (Ended, error) {
			ended, err := w.end(c, generation.Cancel{At: at}, at)
			if err == nil && atMost != nil && ended.Settled > *atMost {
				return Ended{}, domain.Errorf(domain.CodePreconditionFailed,
					"cancelling costs %d credits now, more than %d", ended.Settled, *atMost)
			}
			return ended, err
		},
	})
}

// end decides a command that may end the generation, and settles it if it did.
func (l *Ledger) end(
	ctx context.Context, c Caller, name string, id domain.GenerationID, command generation.Command, at time.Time,
) (Receipt[Ended], error) {
	return run(ctx, l, c, useCase[Ended]{
		name:    name,
		streams: endStreams(c, id),
		decide:  func(w *work) (Ended, error) { return w.end(c, command, at) },
	})
}

func (w *work) end(c Caller, command generation.Command, at time.Time) (Ended, error) {
	if err := w.own(c); err != nil {
		return Ended{}, err
	}
	if err := w.onGeneration(command); err != nil {
		return Ended{}, err
	}
	if len(w.pending) == 0 {
		return w.standing()
	}
	decided := len(w.pending)
	ended, err := w.settle(at)
	w.putLast(decided)
	return ended, err
}
