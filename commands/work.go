package commands

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// work is one decision: the streams it may use, and the events it causes.
type work struct {
	command    string
	account    *accountStream
	generation *generationStream
	image      *imageStream
	events     []eventstore.NewEvent
	pending    []domain.Event // the events, beside their envelopes
}

// use gives the work one of its streams.
func (w *work) use(s folded) {
	switch s := s.(type) {
	case *accountStream:
		w.account = s
	case *generationStream:
		w.generation = s
	case *imageStream:
		w.image = s
	}
}

// do decides a command, folds its events and adds them to the work.
func do[S, C any](w *work, s *stream[S, C], c C) error {
	events, err := s.decider.Decide(s.state, c)
	if err != nil {
		return err
	}
	for _, e := range events {
		s.fold(s.version+1, e)
		w.events = append(w.events, eventstore.NewEvent{Stream: s.name, Version: s.version, Type: e.EventName()})
		w.pending = append(w.pending, e)
	}
	if err := s.decider.Check(s.state); err != nil {
		return fmt.Errorf("%s would break an invariant of %s: %w", w.command, s.name, err)
	}
	return nil
}

func (w *work) onAccount(c account.Command) error       { return do(w, w.account, c) }
func (w *work) onGeneration(c generation.Command) error { return do(w, w.generation, c) }
func (w *work) onImage(c image.Command) error           { return do(w, w.image, c) }

// putLast moves the first n events behind the others, which must be of other streams. What tells the world that a
// generation has ended then comes last: whoever knows of it knows of its settlement, too.
func (w *work) putLast(n int) {
	w.events = append(w.events[n:len(w.events):len(w.events)], w.events[:n]...)
	w.pending = append(w.pending[n:len(w.pending):len(w.pending)], w.pending[:n]...)
}

// encode completes the events with their data and metadata.
func (w *work) encode(ctx context.Context, codec *eventstore.Codec, c Caller) error {
	metadata, err := json.Marshal(eventstore.Metadata{
		Account: c.Account, Command: w.command, Actor: c.Actor, Correlation: c.Correlation,
	})
	if err != nil {
		return fmt.Errorf("encode metadata: %w", err)
	}
	for i := range w.events {
		data, err := codec.Encode(ctx, c.Account, w.pending[i])
		if err != nil {
			return fmt.Errorf("encode %s: %w", w.events[i].Type, err)
		}
		w.events[i].Data, w.events[i].Metadata = data, metadata
	}
	return nil
}
