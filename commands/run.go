package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of one command.
const (
	triesMax     = 8                    // decisions before the caller is told to come back
	retryWaitMax = 5 * time.Millisecond // multiplied by the try
)

// useCase is one use case with its input. decide may run several times; it must get everything from work.
type useCase[R any] struct {
	name    string
	streams []string
	decide  func(*work) (R, error)
}

// run loads, decides and appends, again after a conflict. Refusals by the domain are recorded under the idempotency
// key and returned as *domain.Error. CodeStaleVersion after triesMax conflicts; CodeIdempotencyMismatch if the key was
// used for another request.
func run[R any](ctx context.Context, l *Ledger, c Caller, u useCase[R]) (Receipt[R], error) {
	for try := range triesMax {
		answer, err := once(ctx, l, c, u)
		if err != nil {
			return Receipt[R]{}, err
		}
		switch answer.status {
		case eventstore.StatusAppended:
			return answer.receipt, answer.refusal
		case eventstore.StatusDuplicate:
			return replay[R](ctx, l, c)
		case eventstore.StatusConflict:
		}
		if err := pause(ctx, try); err != nil {
			return Receipt[R]{}, err
		}
	}
	return Receipt[R]{}, domain.Errorf(domain.CodeStaleVersion, "the account is very busy, the command was not run")
}

// answer is what one try came to.
type answer[R any] struct {
	receipt Receipt[R]
	status  eventstore.Status
	refusal error // what the domain said no with, or nil
}

func once[R any](ctx context.Context, l *Ledger, c Caller, u useCase[R]) (answer[R], error) {
	w, err := l.load(ctx, c, u.name, u.streams)
	if err != nil {
		return answer[R]{}, err
	}
	result, refusal := u.decide(w)
	var known *domain.Error
	if refusal != nil && !errors.As(refusal, &known) {
		return answer[R]{}, refusal
	}
	if refusal != nil {
		w.events = nil
	}
	out := answer[R]{receipt: Receipt[R]{Result: result}, status: eventstore.StatusAppended, refusal: refusal}
	unit, err := l.unit(ctx, c, w, outcomeOf(result, known))
	if err != nil || len(unit.Events)+len(unit.Outcomes) == 0 {
		return out, err
	}
	shard := eventstore.ShardOf(c.Account, l.store.Shards())
	results, err := l.store.Append(ctx, shard, []eventstore.Unit{unit})
	if err != nil {
		return answer[R]{}, fmt.Errorf("append %s: %w", u.name, err)
	}
	out.status = results[0].Status
	if n := int64(len(unit.Events)); n > 0 {
		out.receipt.Position = eventstore.Position{Shard: shard, Pos: results[0].First + n - 1}
	}
	return out, nil
}

// replay answers with what was recorded under the caller's key.
func replay[R any](ctx context.Context, l *Ledger, c Caller) (Receipt[R], error) {
	recorded, ok, err := l.store.Outcome(ctx, c.Account, c.Idempotency.Key)
	if err != nil {
		return Receipt[R]{}, fmt.Errorf("read the outcome of a key: %w", err)
	}
	if !ok {
		return Receipt[R]{}, errors.New("an idempotency key was refused as a duplicate but has no outcome")
	}
	if recorded.RequestHash != c.Idempotency.RequestHash {
		return Receipt[R]{}, domain.Errorf(domain.CodeIdempotencyMismatch,
			"the idempotency key was used for another request")
	}
	result, err := readOutcome[R](recorded.Body)
	return Receipt[R]{Result: result, Position: recorded.Position, Replayed: true}, err
}

func pause(ctx context.Context, try int) error {
	wait := time.NewTimer(rand.N(time.Duration(try+1) * retryWaitMax))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
