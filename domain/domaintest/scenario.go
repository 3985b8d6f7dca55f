package domaintest

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

// T is what the kit needs of a test. *testing.T and *rapid.T are such.
type T interface {
	require.TestingT
	Helper()
}

// Scenario drives one decider through a history.
type Scenario[S, C any] struct {
	t       T
	decider domain.Decider[S, C]
	history []domain.Event
	state   S
	events  []domain.Event // of the last command
	err     error          // of the last command
}

// Given starts a scenario with a history.
func Given[S, C any](t T, decider domain.Decider[S, C], history ...domain.Event) *Scenario[S, C] {
	s := &Scenario[S, C]{t: t, decider: decider, state: decider.Initial()}
	return s.And(history...)
}

// And adds recorded events to the history.
func (s *Scenario[S, C]) And(events ...domain.Event) *Scenario[S, C] {
	s.t.Helper()
	for _, e := range events {
		if posted, ok := e.(domain.Posted); ok {
			require.Zero(s.t, domain.Sum(posted.Postings()), "the postings of %s must sum to zero", e.EventName())
		}
		s.state = s.decider.Evolve(s.state, e)
	}
	s.history = append(s.history, events...)
	require.NoError(s.t, s.decider.Check(s.state), "the invariants must hold")
	return s
}

// When decides a command and records its events. Whatever the decider, deciding must leave the state alone, a refusal
// must be a *domain.Error and cause no events, and the new state must be the fold of the whole history.
func (s *Scenario[S, C]) When(c C) *Scenario[S, C] {
	s.t.Helper()
	s.events, s.err = s.decider.Decide(s.state, c)
	require.Equal(s.t, s.replay(s.history), s.state, "deciding must not change the state")
	if s.err != nil {
		require.Empty(s.t, s.events, "a refusal must cause no events")
		require.NotEqual(s.t, domain.CodeInternal, domain.CodeOf(s.err), "a refusal must be a *domain.Error: %v", s.err)
		var refusal *domain.Error
		require.True(s.t, errors.As(s.err, &refusal) && refusal.Msg != "", "a refusal must tell a person why")
		return s
	}
	s.And(s.events...)
	require.Equal(s.t, s.replay(s.history), s.state, "the state must be the fold of the history")
	return s
}

// Then asserts that the last command was accepted and caused exactly these events.
func (s *Scenario[S, C]) Then(events ...domain.Event) *Scenario[S, C] {
	s.t.Helper()
	require.NoError(s.t, s.err)
	require.Equal(s.t, slices.Concat([]domain.Event{}, events), slices.Concat([]domain.Event{}, s.events))
	return s
}

// Refused asserts that the last command was refused with this code.
func (s *Scenario[S, C]) Refused(code domain.Code) *Scenario[S, C] {
	s.t.Helper()
	require.Equal(s.t, code, domain.CodeOf(s.err), "error: %v", s.err)
	return s
}

// Events returns the events of the last command.
func (s *Scenario[S, C]) Events() []domain.Event { return s.events }

// Err returns the refusal of the last command, or nil.
func (s *Scenario[S, C]) Err() error { return s.err }

// State returns the state, which belongs to the scenario.
func (s *Scenario[S, C]) State() S { return s.state }

// History returns all events so far.
func (s *Scenario[S, C]) History() []domain.Event { return s.history }

func (s *Scenario[S, C]) replay(events []domain.Event) S {
	return s.decider.Fold(s.decider.Initial(), events...)
}
