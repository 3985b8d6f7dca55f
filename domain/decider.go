package domain

// Decider is a pure aggregate: no context, no clock, no randomness, no I/O.
type Decider[S, C any] struct {
	// Initial returns the state before the first event.
	Initial func() S
	// Decide says which events the command causes, or refuses it with an *Error. It never changes the state.
	// No events and no error means that the command changes nothing.
	Decide func(S, C) ([]Event, error)
	// Evolve folds one event into the state. It is total: it never fails and never validates.
	// It owns its argument, which must not be used afterwards.
	Evolve func(S, Event) S
	// Check returns the first invariant that the state breaks, or nil.
	Check func(S) error
}

// Fold evolves the state over the events in order.
func (d Decider[S, C]) Fold(s S, events ...Event) S {
	for _, e := range events {
		s = d.Evolve(s, e)
	}
	return s
}
