package commands

import (
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// outcome is what a command answered, as it is recorded: a result or a refusal.
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
