package commands_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
)

// The check. The order in the ledger is the order in which commands took effect. A command that caused no events, above
// all a refusal, has no place in it: its answer must be right at some place between what had been answered before it
// was called and what was called after it was answered. Calls with one key are one command and its repetitions.

// done is a recorded event with its meaning.
type done struct {
	eventstore.Envelope
	event domain.Event
}

// history is all that happened to one account.
type history struct {
	account domain.AccountID
	calls   []call
	events  []done // in the order of the ledger
}

// op is a command that was run: a call that is no repetition.
type op struct {
	call
	events []done
	// from and to are how many commands with events had taken effect at its place, at least and at most.
	from, to int
}

// problem is what is wrong with a history.
type problem struct {
	what string
	at   int // the place in the order
	op   *op
}

func (p *problem) Error() string { return p.what }

func wrong(at int, o *op, format string, args ...any) *problem {
	return &problem{fmt.Sprintf(format, args...), at, o}
}

// check returns the first problem of a history, the order in which its commands took effect, and how it ended.
func (h history) check() ([]*op, *world, *problem) {
	ops, p := h.ops()
	if p != nil {
		return nil, nil, p
	}
	effective, p := h.order(ops)
	if p != nil {
		return effective, nil, p
	}
	var rest []*op
	for _, o := range ops {
		if len(o.events) == 0 {
			rest = append(rest, o)
		}
	}
	bound(effective, rest)
	w, p := h.replay(effective, rest)
	return effective, w, p
}

// ops returns the commands that were run, after a look at the repetitions.
func (h history) ops() (ops []*op, p *problem) {
	byKey := map[string][]*op{}
	for _, c := range h.calls {
		o := &op{call: c}
		switch {
		case c.Code == domain.CodeInternal || c.Code == noAnswer:
			return nil, wrong(0, o, "the answer is %v", c.reply)
		case c.unrun():
		case c.Key == "":
			ops = append(ops, o)
		default:
			byKey[c.Key] = append(byKey[c.Key], o)
		}
	}
	for key, calls := range byKey {
		first, p := original(key, calls)
		if p != nil {
			return nil, p
		}
		ops = append(ops, first)
	}
	return ops, nil
}

// original returns the one call with a key that was run. The others must have been told what it was told.
func original(key string, calls []*op) (*op, *problem) {
	var first *op
	for _, o := range calls {
		if o.Replayed || o.Code == domain.CodeIdempotencyMismatch {
			continue
		}
		if first != nil {
			return nil, wrong(0, o, "%q was run twice: %s: %v", key, first.step, first.reply)
		}
		first = o
	}
	if first == nil {
		return nil, wrong(0, calls[0], "%q was never run", key)
	}
	for _, o := range calls {
		switch mismatch := o.Code == domain.CodeIdempotencyMismatch; {
		case o == first:
		case o.returned < first.called:
			return nil, wrong(0, o, "%q was answered before it was asked: %s", key, first.step)
		case mismatch != (o.Body != first.Body):
			return nil, wrong(0, o, "%q: the first request was %s", key, first.step)
		case !mismatch && !o.same(first.reply):
			return nil, wrong(0, o, "%q was first answered %v", key, first.reply)
		}
	}
	return first, nil
}

// order returns the commands that caused events, in the order of the ledger, after a look at whether each event is of a
// command that was answered, and each answer of one that came later than what it followed.
func (h history) order(ops []*op) (effective []*op, p *problem) {
	byNumber := map[string]*op{}
	for _, o := range ops {
		byNumber[strconv.Itoa(o.N)] = o
	}
	for _, e := range h.events {
		meta, err := e.Meta()
		o := byNumber[meta.Correlation]
		if err != nil || o == nil {
			return nil, wrong(len(effective), nil, "%s %s is of no command that was run: %s", e.Position(), e.Type, e.Metadata)
		}
		switch last := len(o.events) - 1; {
		case last < 0:
			effective = append(effective, o)
		case o.events[last].Pos+1 != e.Pos:
			return nil, wrong(len(effective), o, "its events are torn apart at %s", e.Position())
		}
		o.events = append(o.events, e)
	}
	latest := time.Duration(-1)
	for i, o := range effective {
		if o.returned < latest {
			return nil, wrong(i, o, "it was answered before one was called that took effect before it")
		}
		latest = max(latest, o.called)
	}
	for i, o := range ops {
		told := o.Position
		if untold := o.Job != nil && (o.Job.Do == doClaim || o.Job.Do == doExtend); untold {
			continue
		}
		if len(o.events) == 0 && !told.IsZero() || len(o.events) > 0 && told != o.events[len(o.events)-1].Position() {
			return nil, wrong(i, o, "it was told the position %s of its %d events", told, len(o.events))
		}
	}
	return effective, nil
}

// bound finds the places that each of the rest may have, and sorts them by when they were called.
func bound(effective, rest []*op) {
	slices.SortFunc(rest, func(a, b *op) int { return cmp.Compare(a.called, b.called) })
	place := make(map[*op]int, len(effective))
	for i, o := range effective {
		place[o] = i
	}
	answered := slices.Clone(effective)
	slices.SortFunc(answered, func(a, b *op) int { return cmp.Compare(a.returned, b.returned) })
	next, from := 0, 0
	for _, o := range rest {
		for ; next < len(answered) && answered[next].returned < o.called; next++ {
			from = max(from, place[answered[next]]+1)
		}
		o.from = from
	}
	called := slices.Clone(effective)
	slices.SortFunc(called, func(a, b *op) int { return cmp.Compare(b.called, a.called) })
	byReturn := slices.Clone(rest)
	slices.SortFunc(byReturn, func(a, b *op) int { return cmp.Compare(b.returned, a.returned) })
	next, to := 0, len(effective)
	for _, o := range byReturn {
		for ; next < len(called) && called[next].called > o.returned; next++ {
			to = min(to, place[called[next]])
		}
		o.to = to
	}
}

// replay has the model do the commands in their order, finds a place for each of the rest, and compares all answers and
// what the account has after every command.
func (h history) replay(effective, rest []*op) (*world, *problem) {
	w := newWorld(h.account)
	folded := newFold()
	var waiting []*op
	for k := 0; ; k++ {
		for len(rest) > 0 && rest[0].from <= k {
			waiting, rest = append(waiting, rest[0]), rest[1:]
		}
		var p *problem
		if waiting, p = placed(w, k, waiting); p != nil {
			return w, p
		}
		if k == len(effective) {
			return w, folded.compareAll(w, k)
		}
		o := effective[k]
		v, t := w.ask(o.step)
		if !v.agrees(o.reply) || v.events != len(o.events) {
			return w, wrong(k, o, "the model answers %v with %d events, not %d", v, v.events, len(o.events))
		}
		w.keep(t)
		for _, e := range o.events {
			folded.fold(e)
		}
		if p := folded.compare(w, k, o); p != nil {
			return w, p
		}
	}
}

// placed returns those that have no place yet. One that was called after another was answered does not go before it.
func placed(w *world, k int, waiting []*op) (left []*op, p *problem) {
	earliest := time.Duration(math.MaxInt64)
	for _, o := range waiting {
		if o.called <= earliest {
			v, t := w.ask(o.step)
			if v.agrees(o.reply) && v.events == 0 {
				if t != nil {
					w.keep(t)
				}
				continue
			}
			if k >= o.to {
				return nil, wrong(k, o, "its answer is not right at any place from %d to %d, at the last the model answers %v "+
					"with %d events", o.from, o.to, v, v.events)
			}
		} else if k >= o.to {
			return nil, wrong(k, o, "it has no place behind what was answered before it was called")
		}
		left = append(left, o)
		earliest = min(earliest, o.returned)
	}
	return left, nil
}

// fold is what the program itself makes of the events.
type fold struct {
	account *account.State
	jobs    map[domain.GenerationID]generation.State
	images  map[domain.ImageID]image.State
}

func newFold() *fold {
	return &fold{account.Initial(), map[domain.GenerationID]generation.State{}, map[domain.ImageID]image.State{}}
}

func (f *fold) fold(e done) {
	kind, name, _ := strings.Cut(e.Stream, "-")
	switch kind {
	case "account":
		f.account = account.Evolve(f.account, e.event)
	case "generation":
		f.jobs[domain.GenerationID(name)] = generation.Evolve(f.jobs[domain.GenerationID(name)], e.event)
	default:
		f.images[domain.ImageID(name)] = image.Evolve(f.images[domain.ImageID(name)], e.event)
	}
}

func (f *fold) compare(w *world, k int, o *op) *problem {
	switch a := f.account; {
	case a.Totals != w.books.totals:
		return wrong(k, o, "the ledger has %+v and the model %+v", a.Totals, w.books.totals)
	case a.Totals.Sum() != 0:
		return wrong(k, o, "credits come or go: %+v", a.Totals)
	case a.LineUsed != w.books.lineUsed || a.Open() != len(w.books.open) || len(a.Grants()) != len(w.books.pots):
		return wrong(k, o, "the ledger has %d of the line, %d reservations, %d grants, the model %d, %d and %d",
			a.LineUsed, a.Open(), len(a.Grants()), w.books.lineUsed, len(w.books.open), len(w.books.pots))
	}
	return nil
}

// compareAll compares everything.
func (f *fold) compareAll(w *world, k int) *problem {
	if err := account.Check(f.account); err != nil {
		return wrong(k, nil, "the account: %v", err)
	}
	for _, g := range f.account.Grants() {
		if p := w.books.pot(g.ID); p.left != g.Available || p.held != g.Reserved {
			return wrong(k, nil, "grant %s has %d and %d held, the model %d and %d", g.ID, g.Available, g.Reserved, p.left,
				p.held)
		}
	}
	for _, h := range w.books.open {
		r, ok := f.account.Reservation(h.id)
		if !ok || !slices.Equal(r.Slices, h.parts) || !r.Expires.Equal(h.expires) || r.Generation != h.job {
			return wrong(k, nil, "the ledger has the reservation %+v, the model %+v", r, h)
		}
	}
	for id, j := range w.jobs {
		if s := f.jobs[id]; s.Status != j.status || s.Attempt != j.attempt || s.Failures != j.failures ||
			!s.LeaseUntil.Equal(j.lease) || len(s.Images) != j.images {
			return wrong(k, nil, "the ledger has the job %+v, the model %+v", s, j)
		}
	}
	for id, m := range w.images {
		if s := f.images[id]; s.Favourite != m.favourite || s.Rating != m.rating || s.Deleted != m.deleted {
			return wrong(k, nil, "the ledger has the image %+v, the model %+v", s, m)
		}
	}
	if len(f.jobs) != len(w.jobs) {
		return wrong(k, nil, "the ledger has %d jobs, the model %d", len(f.jobs), len(w.jobs))
	}
	return nil
}
