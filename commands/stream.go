package commands

import (
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

// folded is a stream folded up to a version.
type folded interface {
	at() eventstore.StreamVersion
	fold(version int64, e domain.Event)
	// weight estimates the bytes that the state takes.
	weight() int
	// clone returns a copy that stays as it is.
	clone() folded
}

// stream is a folded stream with the decider of its kind.
type stream[S, C any] struct {
	name    string
	version int64
	kept    int64 // version of the newest snapshot that is known
	state   S
	decider domain.Decider[S, C]
	size    func(S) int // an estimate in bytes
	copied  func(S) S
}

type (
	accountStream    = stream[*account.State, account.Command]
	generationStream = stream[generation.State, generation.Command]
	imageStream      = stream[image.State, image.Command]
	libraryStream    = stream[library.State, library.Command]
)

func newStream(name string) folded {
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "account":
		return empty(name, account.Decider(), accountSize, (*account.State).Clone)
	case "generation":
		return empty(name, generation.Decider(), generationSize, same[generation.State])
	case "image":
		return empty(name, image.Decider(), imageSize, same[image.State])
	case "library":
		return empty(name, library.Decider(), librarySize, same[library.State])
	}
	panic("commands: no aggregate has the stream " + name)
}

func empty[S, C any](name string, d domain.Decider[S, C], size func(S) int, copied func(S) S) *stream[S, C] {
	return &stream[S, C]{name: name, state: d.Initial(), decider: d, size: size, copied: copied}
}

// same is how a state is copied of which events replace parts and change none.
func same[S any](s S) S { return s }

// What a state takes in memory, measured with room to spare: the state itself and each thing in it.
const (
	stateBytes = 2 << 10
	thingBytes = 512
)

func accountSize(s *account.State) int { return stateBytes + thingBytes*s.Things() }

func generationSize(s generation.State) int {
	spec := s.Request.Spec
	return stateBytes + len(spec.Prompt) + len(spec.NegativePrompt) + thingBytes*len(s.Images)
}

func imageSize(s image.State) int { return stateBytes + thingBytes*(len(s.Tags)+len(s.Boards)) }

func librarySize(s library.State) int {
	size := stateBytes + thingBytes*(len(s.Boards)+len(s.Searches))
	for _, k := range s.Searches {
		size += len(k.Query)
	}
	return size
}

func (s *stream[S, C]) weight() int { return s.size(s.state) }

func (s *stream[S, C]) clone() folded {
	c := *s
	c.state = s.copied(s.state)
	return &c
}

func (s *stream[S, C]) at() eventstore.StreamVersion {
	return eventstore.StreamVersion{Stream: s.name, Version: s.version}
}

func (s *stream[S, C]) fold(version int64, e domain.Event) {
	s.state, s.version = s.decider.Evolve(s.state, e), version
}
