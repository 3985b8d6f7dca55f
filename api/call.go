package api

import (
	"context"
	"sync"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/eventstore"
)

// call is one request on its way: what is known of it, and its context. It is made around the router and filled in on
// the way; one goroutine does that.
type call struct {
	context.Context          // that of the connection: it ends when the caller leaves
	within          deadline // the same with the request's own end

	id       string // the request id
	route    string // the template of the matched route, or empty
	who      Identity
	replayed bool // the answer is the recorded outcome of an earlier call
	gone     bool // the caller left before the answer
}

type callKey struct{}

// callOf returns the request's call. Every request has one; a context without is an error in the wiring.
func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) { return c.within.of(c.Context).Deadline() }

// Done implements context.Context.
func (c *call) Done() <-chan struct{} { return c.within.of(c.Context).Done() }

// Err implements context.Context.
func (c *call) Err() error { return c.within.of(c.Context).Err() }

// Value implements context.Context.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.within.of(c.Context).Value(key)
}

// deadline bounds a context from when somebody asks for its end: most requests are answered before anybody does, and a
// timer for each takes as long as its ledger.
type deadline struct {
	at      time.Time // zero if there is none
	once    sync.Once
	bounded context.Context
	cancel  context.CancelFunc
}

// over is the context of requests that were answered before anybody asked for their end.
var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (d *deadline) of(ctx context.Context) context.Context {
	d.once.Do(func() {
		if d.bounded = ctx; !d.at.IsZero() {
			d.bounded, d.cancel = context.WithDeadline(ctx, d.at)
		}
	})
	return d.bounded
}

// end ends the context, also for those who ask from now on.
func (d *deadline) end() {
	d.once.Do(func() { d.bounded = over })
	if d.cancel != nil {
		d.cancel()
	}
}

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
