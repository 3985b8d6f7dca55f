package commands

import (
	"container/list"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
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
	own bool
	// assumed says that nobody has looked whether the stream has events, see command.fresh.
	assumed bool
	users   int // commands that hold the entry
	// ready is closed when the entry is loaded, or err says why it is not. Those who have waited are then called in turn.
	ready   chan struct{}
	waiting []*command
	loaded  bool
	err     error
	dead    bool // not to be used any more: it was not loaded, or holds what was not appended
	turn    int  // how often the state was put back
	// weighs is what the entry counts while it is idle.
	weighs int
	place  *list.Element // in states.order
}

// shard is what an appender knows of a shard.
//
// While all that was ever appended came from here, every state kept is true, and the store need not look for newer
// versions: it is enough that the head is still the one that is known. What somebody else appends the store tells, and
// it is folded into the states. Where it cannot tell, any state may be old: that begins a new epoch, in which states
// have to be looked at by the store once before they count as true.
type shard struct {
	id    int
	head  eventstore.Head
	known bool
	epoch uint64
	// shared is positive while others append to the shard, too: how many appends without them end that.
	shared int
	loader *loader // reads its streams
}

// sharedAppends is how many appends of our own alone mean that we are alone.
const sharedAppends = 64

// appended notes the heads around an append. It returns false if what others appended before it is not known.
func (s *shard) appended(a eventstore.Appended) (sound bool) {
	moved := !s.known || a.Before != s.head
	sound = !moved || s.known && len(a.Missed) > 0 && s.head.Pos+int64(len(a.Missed)) == a.Before.Pos
	if !sound {
		s.epoch++
	}
	if s.shared = max(0, s.shared-1); moved && s.known {
		s.shared = sharedAppends
	}
	s.head, s.known = a.After, true
	return sound
}

func (s *shard) knownHead() *eventstore.Head {
	if !s.known {
		return nil
	}
	head := s.head
	return &head
}

// stateBytesUsual is Config.StateBytes for each appender where it is not given. It bounds the number, too: every state
// weighs stateBytes at least.
const stateBytesUsual = 32 << 20

// states are the entries of an appender. Those in use are never forgotten, since two for one stream would not see each
// other. The appender's lock guards all of it.
type states struct {
	all    map[use]*entry
	order  *list.List // of all, the last used first
	busy   int        // of them that commands hold
	weight int        // of those that none holds, in bytes, as folded.weight estimates it
	most   int        // what it may be
}

func newStates(most int) *states {
	return &states{all: map[use]*entry{}, order: list.New(), most: most}
}

// hold returns the entries of the command's streams. Those that are new are for the caller to load.
func (s *states) hold(c *command, of *shard) (held, fresh []*entry) {
	held = make([]*entry, len(c.streams))
	for i, name := range c.streams {
		e := s.all[use{c.caller.Account, name}]
		if e == nil {
			e = s.begin(c, of, name)
			fresh = append(fresh, e)
		}
		if e.assumed && name != c.fresh {
			e.asOf = 0 // who needs the events must not be told that there are none
		}
		if e.users++; e.users == 1 {
			s.busy++
			s.weight -= e.weighs
			s.order.MoveToFront(e.place)
		}
		held[i] = e
	}
	return held, fresh
}

func (s *states) begin(c *command, of *shard, name string) *entry {
	e := &entry{
		use: use{c.caller.Account, name}, state: newStream(name), asOf: of.epoch,
		assumed: name == c.fresh && c.tries == 0, ready: make(chan struct{}),
	}
	e.place = s.order.PushFront(e)
	s.all[e.use] = e
	return e
}

// release gives entries back that hold has returned.
func (s *states) release(held []*entry) {
	for _, e := range held {
		if e.users--; e.users > 0 || e.dead {
			continue
		}
		s.busy--
		if !e.own {
			s.forget(e)
			continue
		}
		e.weighs = e.state.weight()
		s.weight += e.weighs
		s.order.MoveToFront(e.place)
	}
	for at := s.order.Back(); s.weight > s.most; {
		e := at.Value.(*entry)
		at = at.Prev()
		if e.users == 0 {
			s.weight -= e.weighs
			s.forget(e)
		}
	}
}

func (s *states) forget(e *entry) {
	delete(s.all, e.use)
	s.order.Remove(e.place)
}

// bury makes the next command load the stream anew.
func (s *states) bury(e *entry) {
	if e.dead {
		return
	}
	e.dead = true
	switch {
	case s.all[e.use] != e:
		return
	case e.users > 0:
		s.busy--
	default:
		s.weight -= e.weighs
	}
	s.forget(e)
}

// has reports whether all states that the command needs are there.
func (s *states) has(c *command) bool {
	for _, name := range c.streams {
		if e := s.find(use{c.caller.Account, name}); e == nil || !e.loaded || e.dead {
			return false
		}
	}
	return true
}

// find returns the entry of a stream if there is one.
func (s *states) find(u use) *entry { return s.all[u] }
