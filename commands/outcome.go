package commands

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// recorded is what was recorded of a command under its idempotency key: its outcome, or the events that tell it.
type recorded struct {
	request  eventstore.RequestHash
	position eventstore.Position
	body     []byte
	events   []domain.Event
}

// recorded decodes what was recorded under a key.
func (l *Ledger) recorded(ctx context.Context, o eventstore.Outcome) (*recorded, error) {
	r := &recorded{request: o.RequestHash, position: o.Position, body: o.Body}
	for _, e := range o.Events {
		event, err := l.codec.Decode(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("read what a key was used for: %w", err)
		}
		r.events = append(r.events, event)
	}
	return r, nil
}

// outcome is what a command answered, as it is written: a result or a refusal.
type outcome struct {
	Result  any      `json:"result,omitempty"`
	Refusal *refusal `json:"refusal,omitempty"`
}

type refusal struct {
	Code   domain.Code `json:"code"`
	Msg    string      `json:"msg"`
	Field  string      `json:"field,omitempty"`
	Detail any         `json:"detail,omitempty"`
}

func outcomeOf(result any, e *domain.Error) outcome {
	if e == nil {
		return outcome{Result: result}
	}
	return outcome{Refusal: &refusal{Code: e.Code, Msg: e.Msg, Field: e.Field, Detail: e.Detail}}
}

// readOutcome returns the recorded result, or the recorded refusal as *domain.Error whose Detail is json.RawMessage.
func readOutcome[R any](body []byte) (R, error) {
	var recorded struct {
		Result  R `json:"result"`
		Refusal *struct {
			refusal
			Detail json.RawMessage `json:"detail"`
		} `json:"refusal"`
	}
	if err := json.Unmarshal(body, &recorded); err != nil {
		return recorded.Result, fmt.Errorf("decode a recorded outcome: %w", err)
	}
	if r := recorded.Refusal; r != nil {
		e := &domain.Error{Code: r.Code, Msg: r.Msg, Field: r.Field}
		if r.Detail != nil {
			e.Detail = r.Detail
		}
		return recorded.Result, e
	}
	return recorded.Result, nil
}
