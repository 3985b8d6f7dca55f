package commands

import (
	"fmt"
	"slices"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

// work is one decision: the streams it may use, and the events it causes. A command with several streams of a kind
// turns from one to the next.
type work struct {
	command    string
	account    *accountStream
	generation *generationStream
	image      *imageStream
	library    *libraryStream
	held       []*entry
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
	case *libraryStream:
		w.library = s
	}
}

// do decides a command, folds its events and adds them to the work.
func do[S, C any](w *work, s *stream[S, C], c C) error {
	events, err := s.decider.Decide(s.state, c)
	if err != nil {
		return err
	}
	w.events = slices.Grow(w.events, len(events))
	for _, e := range events {
		s.fold(s.version+1, e)
		w.events = append(w.events, eventstore.NewEvent{Stream: s.name, Version: s.version, Type: e.EventName()})
	}
	if w.pending == nil {
		w.pending = events // most commands decide once
	} else {
		w.pending = append(w.pending, events...)
	}
	if !s.checked(len(events)) {
		return nil
	}
	if err := s.decider.Check(s.state); err != nil {
		return fmt.Errorf("%s would break an invariant of %s: %w", w.command, s.name, err)
	}
	return nil
}

// Checking an invariant takes as long as the state is large, deciding does not: a state that is estimated above
// checkAlways bytes is checked after one of checkEvery events only. An audit checks after every event.
const (
	checkAlways = 32 << 10
	checkEvery  = 32
)

// checked reports whether the invariants are to be checked after so many new events.
func (s *stream[S, C]) checked(events int) bool {
	return s.weight() <= checkAlways || s.version%checkEvery < int64(events)
}

func (w *work) onAccount(c account.Command) error       { return do(w, w.account, c) }
func (w *work) onGeneration(c generation.Command) error { return do(w, w.generation, c) }
func (w *work) onImage(c image.Command) error           { return do(w, w.image, c) }
func (w *work) onLibrary(c library.Command) error       { return do(w, w.library, c) }

// putLast moves the first n events behind the others, which must be of other streams. What tells the world that a
// generation has ended then comes last: whoever knows of it knows of its settlement, too.
func (w *work) putLast(n int) {
	w.events = append(w.events[n:len(w.events):len(w.events)], w.events[:n]...)
	w.pending = append(w.pending[n:len(w.pending):len(w.pending)], w.pending[:n]...)
}

// snapshot returns the account as the decision has left it, if it has got many events since the last snapshot.
func (w *work) snapshot(shard int) *snapshot {
	a := w.account
	if a == nil || !SnapshotDue(a.state, a.version-a.kept) {
		return nil
	}
	a.kept = a.version
	return &snapshot{shard: shard, at: a.at(), state: a.state.Snapshot()}
}
