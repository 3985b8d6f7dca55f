package simulation

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
)

// fate is what becomes of one use of a port.
type fate int

const (
	done    fate = iota // it works
	gone                // the process is dead: nothing happens, and nobody is there to hear of it
	lost                // nothing happens, the caller gets an error
	unheard             // it happens, the caller gets an error
	late                // the caller gets an error, and some time later it happens
	twice               // it happens two times, one after the other
	frozen              // it happens later, when nobody expects it any more, and the caller waits all the while
)

var fates = [...]string{"", " GONE", " LOST", " UNHEARD", " LATE", " TWICE", " FROZEN"}

// errFault is what a caller gets for the fates that tell it so.
var errFault = errors.New("simulated fault")

// class says which fates a use of a port may have.
type class int

const (
	steady  class = iota // nothing goes wrong
	reading              // lost
	writing              // lost, unheard, late
	sending              // lost, unheard, late, twice
)

// turn is what the scheduler decides about a call.
type turn struct {
	fate  fate
	delay time.Duration // until it happens, for late
	dice  uint64
	api   *life // who serves, for requests
}

// call is one use of a port that waits for its turn.
type call struct {
	by    *life
	kind  string
	key   string
	class class
	// ready is nil for what can be done at once. It is asked while everything is at rest.
	ready func() bool
	// swift is set while the caller holds a lock: it gets its turn before any time passes, because a goroutine that
	// waits for a lock keeps the bubble from coming to rest.
	swift bool
	serve bool   // needs an API process
	whose string // request is served

	turn chan turn
	seen bool
	due  time.Time
	// lands is how long after the caller has stopped waiting it happens nevertheless; 0 for not at all.
	lands time.Duration
}

// world is one run of one seed.
type world struct {
	seed  uint64
	rng   *rand.Rand // drawn from only while everything else rests
	plan  plan
	bugs  bugs
	quiet bool          // the faults are over
	peak  time.Duration // the farthest that any clock was ahead

	mu      sync.Mutex
	calls   []*call
	arrived chan struct{}
	agenda  []entry
	closed  bool

	store     *memory.Store
	heads     []int64 // the positions of all shards
	codec     *eventstore.Codec
	bus       *bus
	view      *view
	processes []*process
	lives     []*life
	customers []*customer
	handed    map[job]string // who got which attempt
	trace     trace
	log       *slog.Logger
	started   time.Time
	finished  bool
	ids       int
	turns     int
	wrong     []string
}

// entry is something that happens at a time.
type entry struct {
	at time.Time
	do func()
}

// later puts something on the agenda. It is called while everything else rests, or by the only goroutine that does not.
func (w *world) later(d time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := entry{time.Now().Add(d), do}
	i, _ := slices.BinarySearchFunc(w.agenda, e, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), -1) })
	w.agenda = slices.Insert(w.agenda, i, e)
}

// enter waits for the turn of a call.
func (w *world) enter(ctx context.Context, c *call) turn {
	c.turn = make(chan turn, 1)
	w.mu.Lock()
	if w.closed || c.by != nil && c.by.dead {
		w.mu.Unlock()
		return turn{fate: gone}
	}
	w.calls = append(w.calls, c)
	w.mu.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
	select {
	case t := <-c.turn:
		return t
	case <-ctx.Done():
		return w.withdraw(c)
	}
}

// look makes what the scheduler has done visible to a goroutine that a timer woke, in terms of the memory model: there
// is no other order between the two, though they never run at the same time.
func (w *world) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
}

// withdraw takes back a call whose caller has stopped waiting.
func (w *world) withdraw(c *call) turn {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case t := <-c.turn:
		return t
	default:
	}
	w.calls = slices.DeleteFunc(w.calls, func(other *call) bool { return other == c })
	if c.lands > 0 {
		return turn{fate: late, delay: c.lands}
	}
	return turn{fate: lost}
}

// apply lets an effect happen as its turn says, and returns the error that the caller gets.
func (w *world) apply(t turn, effect func() error) error {
	switch t.fate {
	case done, frozen:
		return effect()
	case twice:
		_ = effect()
		return effect()
	case unheard:
		_ = effect()
	case late:
		w.later(t.delay, func() { _ = effect() })
	case lost, gone:
	}
	return errFault
}

// run gives out turns until the world has come to rest for good, or cannot.
func (w *world) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		synctest.Wait()
		now := time.Now()
		if w.finished {
			return
		}
		if do := w.next(now); do != nil {
			do()
			continue
		}
		w.revive()
		c, at := w.choose(now)
		if c != nil && !at.After(now) {
			w.grant(c)
			continue
		}
		if len(w.agenda) > 0 && (c == nil || w.agenda[0].at.Before(at)) {
			at = w.agenda[0].at
		}
		w.look()
		timer.Reset(at.Sub(now))
		select {
		case <-timer.C:
		case <-w.arrived:
		}
	}
}

// next takes what is due from the agenda.
func (w *world) next(now time.Time) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.agenda) == 0 || w.agenda[0].at.After(now) {
		return nil
	}
	do := w.agenda[0].do
	w.agenda = w.agenda[1:]
	return do
}

// choose returns the call that is next, and when.
func (w *world) choose(now time.Time) (*call, time.Time) {
	w.admit(now)
	var first *call
	for _, c := range w.calls {
		switch {
		case !c.seen || c.by != nil && c.by.paused && !c.swift:
		case c.swift:
			return c, now
		case first == nil || before(c, first):
			first = c
		}
	}
	if first == nil {
		return nil, now.Add(time.Hour)
	}
	return first, first.due
}

func before(a, b *call) bool { return cmp.Or(a.due.Compare(b.due), byName(a, b)) < 0 }

// sorted returns calls in an order that does not depend on how they arrived.
func sorted(calls []*call) []*call {
	slices.SortStableFunc(calls, byName)
	return calls
}

func byName(a, b *call) int {
	return cmp.Or(cmp.Compare(a.by.String(), b.by.String()), cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key),
		cmp.Compare(a.whose, b.whose))
}

// admit draws when the new calls will get their turn, in an order that does not depend on how they arrived.
func (w *world) admit(now time.Time) {
	var fresh []*call
	for _, c := range w.calls {
		if c.seen || c.ready != nil && !c.ready() || c.serve && w.api(0) == nil {
			continue
		}
		fresh = append(fresh, c)
	}
	if len(fresh) > 1 {
		slices.SortStableFunc(fresh, byName)
		for i, c := range fresh[1:] {
			if byName(fresh[i], c) == 0 {
				w.fault("two calls cannot be told apart: " + c.by.String() + " " + c.kind + " " + c.key)
			}
		}
	}
	for _, c := range fresh {
		c.seen = true
		if c.swift {
			continue
		}
		c.due = now.Add(w.latency())
		if c.class >= writing && w.chance(w.plan.late) {
			c.lands = time.Duration(1 + w.rng.Int64N(int64(landMax)))
		}
	}
}

// latency is how long a call takes: a little at random, sometimes much. The odd nanoseconds keep timers apart.
func (w *world) latency() time.Duration {
	if w.chance(w.plan.slow) {
		return time.Duration(w.rng.Int64N(int64(slowMax)))
	}
	return time.Duration(w.rng.Int64N(int64(usualMax)))
}

func (w *world) chance(p float64) bool { return !w.quiet && p > 0 && w.rng.Float64() < p }

// grant lets one call go on.
func (w *world) grant(c *call) {
	if c.ready != nil && !c.ready() {
		c.seen = false
		return
	}
	t := turn{fate: w.fateOf(c), dice: w.rng.Uint64()}
	if t.fate == late {
		t.delay = time.Duration(w.rng.Int64N(int64(lateMax)))
		if c.swift {
			t.delay = time.Duration(w.rng.Int64N(int64(lateOfferMax)))
		}
	}
	if c.serve {
		t.api = w.api(t.dice)
		if t.api == nil {
			c.seen = false
			return
		}
	}
	if c.swift && c.kind == publishing && w.chance(w.plan.zombies) && w.freeze(c) {
		return
	}
	w.mu.Lock()
	w.calls = slices.DeleteFunc(w.calls, func(other *call) bool { return other == c })
	w.mu.Unlock()
	w.turns++
	w.trace.call(time.Now(), c, t.fate)
	w.look()
	c.turn <- t
}

func (w *world) fateOf(c *call) fate {
	if w.quiet || c.class == steady {
		return done
	}
	p := w.rng.Float64()
	for _, f := range []struct {
		fate  fate
		least class
		share float64
	}{{lost, reading, w.plan.lost}, {unheard, writing, w.plan.unheard}, {late, writing, w.plan.late},
		{twice, sending, w.plan.twice}} {
		if c.class < f.least {
			break
		}
		if p -= f.share; p < 0 {
			return f.fate
		}
	}
	return done
}

// fault notes that something is wrong.
func (w *world) fault(text string) { w.wrong = append(w.wrong, text) }
