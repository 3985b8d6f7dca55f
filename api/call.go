package api

import (
	"context"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/eventstore"
)

// call is what is known of one request. It is made around the router and filled in on the way; one goroutine uses it.
type call struct {
	id       string // the request id
	route    string // the template of the matched route, or empty
	who      Identity
	replayed bool // the answer is the recorded outcome of an earlier call
	gone     bool // the caller left before the answer
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// callOf returns the request's call. Every request has one; a context without is an error in the wiring.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// caller says on whose behalf a command of the request runs.
func caller(ctx context.Context, idempotency *commands.Idempotency) commands.Caller {
	c := callOf(ctx)
	return commands.Caller{
		Account: c.who.Account, Actor: string(c.who.Key), Correlation: c.id, Idempotency: idempotency,
	}
}

// refused notes for the headers of the problem whether the refusal is that of an earlier call, and returns it.
func refused[R any](ctx context.Context, receipt commands.Receipt[R], err error) error {
	callOf(ctx).replayed = receipt.Replayed
	return err
}

// position returns the header Pingvas-Position, or nil if there is none to tell.
func position(p eventstore.Position) *string {
	if p.IsZero() {
		return nil
	}
	return opt(p.String())
}

// yes returns the header value true, or nil.
func yes(is bool) *string {
	if !is {
		return nil
	}
	return opt("true")
}

// opt returns a pointer to v, or nil for the zero value: how optional fields are written.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// or returns what p points to, or the zero value.
func or[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
