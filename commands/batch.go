package commands

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// batch is some commands that are appended together, in one unit for each account.
type batch struct {
	units    []*unit
	byOwner  map[domain.AccountID]*unit
	commands int
	events   int
	bytes    atomic.Int64   // of the commands that are encoded
	encoding sync.WaitGroup // commands that are not
	many     chan struct{}  // closed when it has besideMin commands
	closed   chan struct{}  // closed when the batch takes no more commands
	// followers wait for the batch to be done. The appender's lock guards them.
	followers []*command
	done      chan struct{} // closed when all its commands have their answers
}

// newBatch has room for so many units; it may get more.
func newBatch(units int) *batch {
	return &batch{
		units: make([]*unit, 0, units), byOwner: make(map[domain.AccountID]*unit, units),
		many: make(chan struct{}), closed: make(chan struct{}), done: make(chan struct{}),
	}
}

// follow returns what is closed when the batch is done. The command is then called in turn, see again.
func (b *batch) follow(c *command) <-chan struct{} {
	b.followers = append(b.followers, c)
	return b.done
}

func (b *batch) hasRoom() bool {
	return b.commands < batchMax && b.events < batchEvents && b.bytes.Load() < batchBytes
}

// unitOf returns the unit of the command's account.
func (b *batch) unitOf(c *command, s *shard) *unit {
	u := b.byOwner[c.caller.Account]
	if u == nil {
		u = &unit{account: c.caller.Account, shard: s}
		u.commands, u.uses = u.firstCommand[:0], u.firstUse[:0]
		b.byOwner[u.account] = u
		b.units = append(b.units, u)
	}
	return u
}

// unit is what one account does in the batch. It is appended whole or not at all.
type unit struct {
	account  domain.AccountID
	shard    *shard
	commands []*command
	uses     []used
	// Most units are one command on one stream, which has its place in the unit itself.
	firstCommand [1]*command
	firstUse     [1]used
	// void says that what the commands were decided on was not appended, or that they cannot be.
	void bool
	// large says that it is void because the append would have too many bytes.
	large bool
	// sent says where the unit is in the append, if it is.
	sent         bool
	batch, index int
}

// used is a stream that the commands of a unit were decided on.
type used struct {
	*entry
	version int64 // before the first of them
	written bool
	// before is the state before the first of them, kept only while others append to the shard; turn says which.
	before folded
	turn   int
}

// keptWeight is the largest state of which a copy is kept, in bytes.
const keptWeight = 256 << 10

// back puts the state back to what it was, if that is kept and nobody has done so before. It returns false for a state
// that is lost.
func (s used) back() bool {
	if s.turn != s.entry.turn {
		return true
	}
	if s.before == nil {
		return false
	}
	s.state = s.before
	s.entry.turn++
	return true
}

// add decides a command on what the commands before it have left. It returns false if the account can take no others
// before this unit is done.
func (u *unit) add(c *command, held []*entry) (clean bool) {
	for _, e := range held {
		u.use(e)
	}
	u.commands = append(u.commands, c)
	clean = c.decideOn(held)
	for _, e := range c.events {
		for i := range u.uses {
			if u.uses[i].stream == e.Stream {
				u.uses[i].written = true
			}
		}
	}
	return clean
}

func (u *unit) use(e *entry) {
	for _, known := range u.uses {
		if known.entry == e {
			return
		}
	}
	s := used{entry: e, version: e.state.at().Version, turn: e.turn}
	if u.shard.shared > 0 && e.state.weight() <= keptWeight {
		s.before = e.state.clone()
	}
	u.uses = append(u.uses, s)
}

// room is where the units of a batch are sealed: their events side by side, and their outcomes.
type room struct {
	events   []eventstore.NewEvent
	outcomes []eventstore.NewOutcome
}

// room returns room for all that the batch has.
func (b *batch) room() *room {
	return &room{make([]eventstore.NewEvent, 0, b.events), make([]eventstore.NewOutcome, 0, b.commands)}
}

// seal returns the unit as it is appended, and its size in bytes. It is void if a command has no bytes.
func (u *unit) seal(r *room) (sealed eventstore.Unit, size int) {
	events, outcomes := len(r.events), len(r.outcomes)
	for _, c := range u.commands {
		if c.broken != nil {
			u.void = true
		}
		if c.answer.err != nil {
			continue
		}
		r.events = append(r.events, c.events...)
		if c.caller.Idempotency != nil {
			done := 0
			if len(c.events) > 0 {
				done = len(r.events) - events
			}
			r.outcomes = append(r.outcomes, eventstore.NewOutcome{
				Key: c.caller.Idempotency.Key, RequestHash: c.caller.Idempotency.RequestHash, Body: c.body, Events: done,
				Span: len(c.events),
			})
		}
		size += c.size()
	}
	sealed.Account = u.account
	sealed.Events, sealed.Outcomes = slices.Clip(r.events[events:]), slices.Clip(r.outcomes[outcomes:])
	for _, s := range u.uses {
		if !s.written {
			sealed.Reads = append(sealed.Reads, eventstore.StreamVersion{Stream: s.stream, Version: s.version})
		}
	}
	return sealed, size
}

// appended answers all commands of a unit that was recorded from this position on.
func (u *unit) appended(first int64) {
	for _, c := range u.commands {
		if c.answer.err != nil || len(c.events) == 0 {
			continue
		}
		first += int64(len(c.events))
		c.answer.position = eventstore.Position{Shard: u.shard.id, Pos: first - 1}
	}
}

// failed answers all commands of a unit of which it is unknown whether it was recorded.
func (u *unit) failed(err error) {
	for _, c := range u.commands {
		if c.answer.err == nil {
			c.answer = answer{err: err}
		}
	}
}

// repeat has all commands of a unit tried again that was not recorded.
func (u *unit) repeat(status eventstore.Status) {
	for _, c := range u.commands {
		switch {
		case c.answer.err != nil:
		case c.broken != nil:
			c.answer = answer{err: c.broken}
		default:
			c.again, c.crowded = true, u.large
			c.duplicate = status == eventstore.StatusDuplicate && c.caller.Idempotency != nil
		}
	}
}
