package commands

import (
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of the states that one appender keeps while no command uses them.
const (
	idleMax = 1 << 16
	// idleWeight is their weight in bytes, as folded.weight estimates it.
	idleWeight = 32 << 20
)

// use is a stream as one account uses it. Accounts do not share what is folded, not even when one asks for what belongs
// to another: what one of them has decided and could not append must not reach the others.
type use struct {
	account domain.AccountID
	stream  string
}

// entry is a stream folded as far as this process has decided, which is beyond what is appended while commands are on
// their way.
type entry struct {
	use
	state folded
	// asOf is the epoch of the shard that the state is known to be true in, see shard.
	asOf uint64
	// own says that only commands of this account change the stream. What belongs to others is not kept.
	own   bool
	users int // commands that hold the entry
	// ready is closed when the entry is loaded, or err says why it is not.
	ready  chan struct{}
	loaded bool
	err    error
	dead   bool // not to be used any more: it was not loaded, or holds what was not appended
	// weighs is what the entry counts among those that are idle.
	weighs int
}

// shard is what an appender knows of a shard.
//
// While all that was ever appended came from here, every state kept is true, and the store need not look for newer
// versions: it is enough that the head is still the one that is known. When somebody else has appended, any state may
// be old. That begins a new epoch, in which states have to be looked at by the store once before they count as true.
type shard struct {
	id    int
	head  eventstore.Head
	known bool
	epoch uint64
}

// appended notes the heads around an append.
func (s *shard) appended(before, after eventstore.Head) {
	if !s.known || before != s.head {
		s.epoch++
	}
	s.head, s.known = after, true
}

func (s *shard) knownHead() *eventstore.Head {
	if !s.known {
		return nil
	}
	head := s.head
	return &head
}

// states are the entries of an appender. Those in use are never forgotten, since two for one stream would not see each
// other. The appender's lock guards all of it.
type states struct {
	busy   map[use]*entry
	idle   *simplelru.LRU[use, *entry]
	weight int
}

func newStates() *states {
	s := &states{busy: map[use]*entry{}}
	idle, err := simplelru.NewLRU(idleMax, func(_ use, e *entry) { s.weight -= e.weighs })
	if err != nil {
		panic(err) // the size is a constant
	}
	s.idle = idle
	return s
}

// hold returns the entries of the command's streams. Those that are new are for the caller to load.
func (s *states) hold(c *command, of *shard) (held, fresh []*entry) {
	held = make([]*entry, len(c.streams))
	for i, name := range c.streams {
		u := use{c.caller.Account, name}
		e := s.busy[u]
		if e == nil {
			if e, _ = s.idle.Peek(u); e != nil {
				s.idle.Remove(u)
			} else {
				e = &entry{use: u, state: newStream(name), asOf: of.epoch, ready: make(chan struct{})}
				fresh = append(fresh, e)
			}
			s.busy[u] = e
		}
		e.users++
		held[i] = e
	}
	return held, fresh
}

// release gives entries back that hold has returned.
func (s *states) release(held []*entry) {
	for _, e := range held {
		if e.users--; e.users > 0 || e.dead {
			continue
		}
		delete(s.busy, e.use)
		if e.own {
			e.weighs = e.state.weight()
			s.weight += e.weighs
			s.idle.Add(e.use, e)
		}
	}
	for s.weight > idleWeight {
		s.idle.RemoveOldest()
	}
}

// bury makes the next command load the stream anew.
func (s *states) bury(e *entry) {
	if !e.dead {
		e.dead = true
		delete(s.busy, e.use)
	}
}
