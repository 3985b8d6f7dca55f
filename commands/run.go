package commands

import (
	"context"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// triesMax is how often a command is decided anew because another process was faster, before its caller is told to
// come back.
const triesMax = 64

// useCase is one use case with its input. decide may run several times; it must get everything from work.
type useCase[R any] struct {
	name    string
	streams []string
	// fresh is one of the streams that has no events yet, so that it need not be looked for.
	fresh string
	// seals says that the events may hold personal data.
	seals  bool
	decide func(*work) (R, error)
	// told returns the result as the command's events tell it. Where it is set, no outcome is recorded beside them.
	told func([]domain.Event) R
}

// answer is what became of a command.
type answer struct {
	refusal  error // what the domain said no with, or nil
	position eventstore.Position
	recorded *recorded // of an earlier command with the same key
	err      error     // it is unknown whether the command took effect, or it was not run
}

// run decides and appends, together with the other commands of the shard. Refusals by the domain are recorded under
// the idempotency key and returned as *domain.Error. CodeStaleVersion after triesMax conflicts, CodeUnavailable if too
// many commands wait, CodeIdempotencyMismatch if the key was used for another request.
func run[R any](ctx context.Context, l *Ledger, c Caller, u useCase[R]) (Receipt[R], error) {
	if err := c.check(); err != nil {
		return Receipt[R]{}, err
	}
	if u.seals {
		// Others wait while a command is encoded, so the key is fetched before.
		if err := l.codec.Prepare(ctx, c.Account); err != nil {
			return Receipt[R]{}, err
		}
	}
	shard := eventstore.ShardOf(c.Account, l.store.Shards())
	k := &call[R]{decided: u.decide, command: command{
		caller: c, name: u.name, streams: u.streams, fresh: u.fresh, shardID: shard, told: u.told != nil,
	}}
	k.decision = k
	switch a := l.appenders[shard%len(l.appenders)].run(ctx, &k.command); {
	case a.err != nil:
		return Receipt[R]{}, a.err
	case a.recorded != nil:
		return u.replay(c, a.recorded)
	default:
		return Receipt[R]{Result: k.result, Position: a.position}, a.refusal
	}
}

// call is a command with the result that it was decided with last, in one piece of memory.
type call[R any] struct {
	command
	decided func(*work) (R, error)
	result  R
}

func (k *call[R]) decide(w *work) (err error) {
	k.result, err = k.decided(w)
	return err
}

func (k *call[R]) resultOf() any { return k.result }

// replay answers with what was recorded under the caller's key.
func (u *useCase[R]) replay(c Caller, r *recorded) (Receipt[R], error) {
	if r.request != c.Idempotency.RequestHash {
		return Receipt[R]{}, domain.Errorf(domain.CodeIdempotencyMismatch,
			"the idempotency key was used for another request")
	}
	out := Receipt[R]{Position: r.position, Replayed: true}
	if r.body == nil && u.told != nil {
		out.Result = u.told(r.events)
		return out, nil
	}
	var err error
	out.Result, err = readOutcome[R](r.body)
	return out, err
}
