package commands

import (
	"context"
	"fmt"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// loadPage is how many events of all streams of a batch are read at once.
const loadPage = 1000

// folded is a stream folded up to a version.
type folded interface {
	at() eventstore.StreamVersion
	fold(version int64, e domain.Event)
}

// stream is a folded stream with the decider of its kind.
type stream[S, C any] struct {
	name    string
	version int64
	kept    int64 // version of the newest snapshot that is known
	state   S
	decider domain.Decider[S, C]
}

type (
	accountStream    = stream[*account.State, account.Command]
	generationStream = stream[generation.State, generation.Command]
	imageStream      = stream[image.State, image.Command]
)

func newStream(name string) folded {
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "account":
		return empty(name, account.Decider())
	case "generation":
		return empty(name, generation.Decider())
	case "image":
		return empty(name, image.Decider())
	}
	panic("commands: no aggregate has the stream " + name)
}

func empty[S, C any](name string, d domain.Decider[S, C]) *stream[S, C] {
	return &stream[S, C]{name: name, state: d.Initial(), decider: d}
}

func (s *stream[S, C]) at() eventstore.StreamVersion {
	return eventstore.StreamVersion{Stream: s.name, Version: s.version}
}

func (s *stream[S, C]) fold(version int64, e domain.Event) {
	s.state, s.version = s.decider.Evolve(s.state, e), version
}

// load folds what new streams lack. Several of them may be the same stream, as different accounts use it.
func (l *Ledger) load(ctx context.Context, shard int, streams []folded) error {
	if len(streams) == 0 {
		return nil
	}
	byName := make(map[string][]folded, len(streams))
	for _, s := range streams {
		byName[s.at().Stream] = append(byName[s.at().Stream], s)
	}
	if err := l.restore(ctx, shard, byName); err != nil {
		return err
	}
	for {
		after := make([]eventstore.StreamVersion, 0, len(byName))
		for _, same := range byName {
			after = append(after, same[0].at())
		}
		page, err := l.store.ReadStreams(ctx, shard, after, loadPage)
		if err != nil {
			return fmt.Errorf("load %d streams: %w", len(streams), err)
		}
		for _, e := range page {
			event, err := l.codec.Decode(ctx, e)
			if err != nil {
				return err
			}
			for _, s := range byName[e.Stream] {
				s.fold(e.Version, event)
			}
		}
		// The page is filled stream by stream, so one that is full says nothing about the streams that it lacks.
		if len(page) < loadPage {
			return nil
		}
	}
}
