package commands

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

// loadPage is how many events of all streams of a batch are read at once.
const loadPage = 1000

// Bounds of how many commands read a page of their streams at once; between them it is one for each processor.
const (
	loadsLeast = 2
	loadsMost  = 16
)

// loadsMax returns how many commands may read at once. After a start no streams are in memory. If all commands then
// read at once, whatever else needs the processors and the database waits behind them, the views and the appends of
// those in memory among it. They go on page by page in turn, so that a long history holds nobody up.
func loadsMax() int { return min(max(loadsLeast, runtime.GOMAXPROCS(0)), loadsMost) }

// errLoads is the answer where so many others read that there is no turn within batchTimeout.
var errLoads = domain.Errorf(domain.CodeUnavailable, "too many accounts are being read already")

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

// load folds the streams that a command uses. The entries are not shared yet.
func (l *Ledger) load(ctx context.Context, c *command, fresh []*entry) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	// Others may be waiting for the same streams, so it does not matter whether this caller gives up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	byName := make(map[string]*entry, len(fresh))
	for _, e := range fresh {
		if e.assumed {
			continue
		}
		// The streams of an account have only its own commands; what nobody has begun, somebody else may begin.
		e.own = e.stream == eventstore.AccountStream(e.account) || e.stream == eventstore.LibraryStream(e.account)
		byName[e.stream] = e
	}
	if len(byName) == 0 {
		return nil
	}
	if err := l.inTurn(ctx, func() error { return l.restore(ctx, c.shardID, byName) }); err != nil {
		return err
	}
	for more := true; more; {
		err := l.inTurn(ctx, func() (err error) {
			more, err = l.read(ctx, c.shardID, byName)
			return err
		})
		if err != nil {
			return fmt.Errorf("load %d streams: %w", len(byName), err)
		}
	}
	return nil
}

// inTurn runs do, which reads no more than a page, when few enough others read.
func (l *Ledger) inTurn(ctx context.Context, do func() error) error {
	select {
	case l.loads <- struct{}{}:
	case <-ctx.Done():
		return errLoads
	}
	defer func() { <-l.loads }()
	return do()
}

// read folds a page of what the entries lack, and reports whether there may be more.
func (l *Ledger) read(ctx context.Context, shard int, byName map[string]*entry) (more bool, err error) {
	after := make([]eventstore.StreamVersion, 0, len(byName))
	for _, e := range byName {
		after = append(after, e.state.at())
	}
	page, err := l.store.ReadStreams(ctx, shard, after, loadPage)
	if err != nil {
		return false, err
	}
	for _, recorded := range page {
		event, err := l.codec.Decode(ctx, recorded)
		if err != nil {
			return false, err
		}
		e := byName[recorded.Stream]
		if recorded.Version == 1 {
			meta, err := recorded.Meta()
			if err != nil {
				return false, fmt.Errorf("decode the metadata of %s: %w", recorded.Position(), err)
			}
			e.own = meta.Account == e.account
		}
		e.state.fold(recorded.Version, event)
	}
	// The page is filled stream by stream, so one that is full says nothing about the streams that it lacks.
	return len(page) == loadPage, nil
}
