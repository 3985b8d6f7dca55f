package simulation

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/settle"
)

// ownLedger is the ledger in the process that settles or sweeps. Its contexts end as those of requests do.
type ownLedger struct {
	*commands.Ledger
	l *life
}

var (
	_ settle.Ledger  = ownLedger{}
	_ cleanup.Ledger = ownLedger{}
)

// served returns a context for a command that a process runs. It ends with the given one, but not while the command
// leads a batch: whether it would then lead once more or withdraw is for Go to choose.
func (w *world) served(ctx context.Context, l *life) (context.Context, context.CancelFunc) {
	w.mu.Lock()
	l.requests++
	name := l.name + "#" + strconv.Itoa(l.requests)
	w.mu.Unlock()
	named, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), callerKey{}, name))
	stop := context.AfterFunc(ctx, func() { w.hangUp(name, cancel) })
	return named, func() { stop(); cancel() }
}

// hangUp ends the context of a command, unless it leads.
func (w *world) hangUp(name string, cancel func()) {
	w.mu.Lock()
	leads := slices.ContainsFunc(w.calls, func(c *call) bool { return c.whose == name })
	w.mu.Unlock()
	if !leads {
		cancel()
	}
}

func serve[R any](ctx context.Context, o ownLedger, do func(context.Context) (R, error)) (R, error) {
	ctx, cancel := o.l.p.w.served(ctx, o.l)
	defer cancel()
	return do(ctx)
}

// CompleteGeneration implements settle.Ledger.
func (o ownLedger) CompleteGeneration(
	ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.Complete,
) (commands.Receipt[commands.Ended], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[commands.Ended], error) {
		return o.Ledger.CompleteGeneration(ctx, c, id, in)
	})
}

// FailGeneration implements settle.Ledger.
func (o ownLedger) FailGeneration(
	ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.Fail,
) (commands.Receipt[commands.Ended], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[commands.Ended], error) {
		return o.Ledger.FailGeneration(ctx, c, id, in)
	})
}

// HandBackGeneration implements settle.Ledger.
func (o ownLedger) HandBackGeneration(
	ctx context.Context, c commands.Caller, id domain.GenerationID, in generation.HandBack,
) (commands.Receipt[commands.Ended], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[commands.Ended], error) {
		return o.Ledger.HandBackGeneration(ctx, c, id, in)
	})
}

// EndLease implements cleanup.Ledger.
func (o ownLedger) EndLease(
	ctx context.Context, c commands.Caller, id domain.GenerationID, at time.Time,
) (commands.Receipt[commands.Ended], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[commands.Ended], error) {
		return o.Ledger.EndLease(ctx, c, id, at)
	})
}

// ExpireGeneration implements cleanup.Ledger.
func (o ownLedger) ExpireGeneration(
	ctx context.Context, c commands.Caller, id domain.GenerationID, at time.Time,
) (commands.Receipt[commands.Ended], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[commands.Ended], error) {
		return o.Ledger.ExpireGeneration(ctx, c, id, at)
	})
}

// ExpireDue implements cleanup.Ledger.
func (o ownLedger) ExpireDue(ctx context.Context, c commands.Caller, at time.Time) (commands.Receipt[int], error) {
	return serve(ctx, o, func(ctx context.Context) (commands.Receipt[int], error) {
		return o.Ledger.ExpireDue(ctx, c, at)
	})
}
