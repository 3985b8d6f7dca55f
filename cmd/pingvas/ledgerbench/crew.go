package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// crew is the clients of a target.
type crew interface {
	// each calls do with every client, all at once, and returns when all calls have.
	each(do func(Client))
	close() error
}

// crowd is a crew of which each client works in a goroutine of its own.
type crowd []Client

func (c crowd) each(do func(Client)) {
	var all sync.WaitGroup
	for _, client := range c {
		all.Go(func() { do(client) })
	}
	all.Wait()
}

func (c crowd) close() error {
	var errs []error
	for _, client := range c {
		errs = append(errs, client.Close())
	}
	return errors.Join(errs...)
}

// connect makes the clients of a target.
func connect(ctx context.Context, t Target, n int) (crowd, error) {
	clients := make(crowd, 0, n)
	for range n {
		c, err := t.Client(ctx)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", t.Name(), err), clients.close())
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// crewOf makes the clients of a target, those of a REST ledger as cheap as they can be.
func crewOf(ctx context.Context, t Target, n int) (crew, error) {
	if r, ok := t.(REST); ok {
		return r.crew(ctx, n)
	}
	return connect(ctx, t, n)
}
