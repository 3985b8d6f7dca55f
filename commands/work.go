package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// loadPage is how many events of all streams of a decision are read at once.
const loadPage = 1000

// work is one decision: the states of the streams it may use, and the events it causes.
type work struct {
	command    string
	account    stream[*account.State, account.Command]
	generation stream[generation.State, generation.Command]
	image      stream[image.State, image.Command]
	events     []eventstore.NewEvent
	pending    []domain.Event // the events, beside their envelopes
}

// stream is a loaded stream with the decider of its kind.
type stream[S, C any] struct {
	name    string
	version int64
	state   S
	decider domain.Decider[S, C]
}

func newStream[S, C any](d domain.Decider[S, C]) stream[S, C] {
	return stream[S, C]{state: d.Initial(), decider: d}
}

// do decides a command, folds its events and adds them to the work.
func do[S, C any](w *work, s *stream[S, C], c C) error {
	events, err := s.decider.Decide(s.state, c)
	if err != nil {
		return err
	}
	for _, e := range events {
		s.state = s.decider.Evolve(s.state, e)
		s.version++
		w.events = append(w.events, eventstore.NewEvent{Stream: s.name, Version: s.version, Type: e.EventName()})
		w.pending = append(w.pending, e)
	}
	if err := s.decider.Check(s.state); err != nil {
		return fmt.Errorf("%s would break an invariant of %s: %w", w.command, s.name, err)
	}
	return nil
}

func (w *work) onAccount(c account.Command) error       { return do(w, &w.account, c) }
func (w *work) onGeneration(c generation.Command) error { return do(w, &w.generation, c) }
func (w *work) onImage(c image.Command) error           { return do(w, &w.image, c) }

// putLast moves the first n events behind the others, which must be of other streams. What tells the world that a
// generation has ended then comes last: whoever knows of it knows of its settlement, too.
func (w *work) putLast(n int) {
	w.events = append(w.events[n:len(w.events):len(w.events)], w.events[:n]...)
	w.pending = append(w.pending[n:len(w.pending):len(w.pending)], w.pending[:n]...)
}

// load reads and folds the streams.
func (l *Ledger) load(ctx context.Context, c Caller, command string, streams []string) (*work, error) {
	w := &work{
		command: command, account: newStream(account.Decider()), generation: newStream(generation.Decider()),
		image: newStream(image.Decider()),
	}
	after := make([]eventstore.StreamVersion, len(streams))
	for i, name := range streams {
		after[i].Stream = name
		w.name(name)
	}
	shard := eventstore.ShardOf(c.Account, l.store.Shards())
	for {
		page, err := l.store.ReadStreams(ctx, shard, after, loadPage)
		if err != nil {
			return nil, fmt.Errorf("load the streams of %s: %w", command, err)
		}
		for _, e := range page {
			if err := l.fold(ctx, w, e); err != nil {
				return nil, err
			}
			i := slices.IndexFunc(after, func(s eventstore.StreamVersion) bool { return s.Stream == e.Stream })
			after[i].Version = e.Version
		}
		// The page is filled stream by stream, so one that is full says nothing about the streams that it lacks.
		if len(page) < loadPage {
			return w, nil
		}
	}
}

func (w *work) name(stream string) {
	switch kind, _, _ := strings.Cut(stream, "-"); kind {
	case "account":
		w.account.name = stream
	case "generation":
		w.generation.name = stream
	case "image":
		w.image.name = stream
	default:
		panic("commands: no aggregate has the stream " + stream)
	}
}

func (l *Ledger) fold(ctx context.Context, w *work, e eventstore.Envelope) error {
	event, err := l.codec.Decode(ctx, e)
	if err != nil {
		return err
	}
	switch e.Stream {
	case w.account.name:
		fold(&w.account, e, event)
	case w.generation.name:
		fold(&w.generation, e, event)
	case w.image.name:
		fold(&w.image, e, event)
	}
	return nil
}

func fold[S, C any](s *stream[S, C], e eventstore.Envelope, event domain.Event) {
	s.state, s.version = s.decider.Evolve(s.state, event), e.Version
}

// unit encodes what the work caused, with its outcome if the caller gave an idempotency key.
func (l *Ledger) unit(ctx context.Context, c Caller, w *work, o outcome) (eventstore.Unit, error) {
	unit := eventstore.Unit{Account: c.Account, Events: w.events}
	metadata, err := json.Marshal(eventstore.Metadata{
		Account: c.Account, Command: w.command, Actor: c.Actor, Correlation: c.Correlation,
	})
	if err != nil {
		return unit, fmt.Errorf("encode metadata: %w", err)
	}
	for i := range unit.Events {
		data, err := l.codec.Encode(ctx, c.Account, w.pending[i])
		if err != nil {
			return unit, fmt.Errorf("encode %s: %w", unit.Events[i].Type, err)
		}
		unit.Events[i].Data, unit.Events[i].Metadata = data, metadata
	}
	if c.Idempotency == nil {
		return unit, nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		return unit, fmt.Errorf("encode the outcome: %w", err)
	}
	unit.Outcomes = []eventstore.NewOutcome{{
		Key: c.Idempotency.Key, RequestHash: c.Idempotency.RequestHash, Body: body, Events: len(unit.Events),
	}}
	return unit, nil
}
