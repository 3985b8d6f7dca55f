package simulation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// oracle reads the record once, event by event, and keeps books of its own. It shares nothing with the deciders.
type oracle struct {
	wrong    []string
	accounts map[string]*books
	jobs     map[string]*history
	next     map[int]int64    // the next position of each shard
	versions map[string]int64 // the newest of each stream
	at       map[string]fact  // by position
}

// books are one account's.
type books struct {
	slots                                        int
	granted, available, held, consumed, breakage int64
	grants                                       map[string]*pot
	holds                                        map[string]*hold
}

// pot is one grant.
type pot struct {
	available, held    int64
	effective, expires time.Time
}

// hold is one reservation.
type hold struct {
	of      string // the generation
	amount  int64
	parts   []part
	expires time.Time
	ended   string
	charged int64
	waived  int64
	settled bool
}

// history is one generation.
type history struct {
	request fact
	taken   bool
	tries   int
	until   time.Time
	worker  string
	ended   *fact
}

func newOracle() *oracle {
	return &oracle{
		accounts: map[string]*books{}, jobs: map[string]*history{}, next: map[int]int64{}, versions: map[string]int64{},
		at: map[string]fact{},
	}
}

// must notes what is wrong, unless it is right.
func (o *oracle) must(right bool, f fact, format string, args ...any) {
	if !right {
		where := fmt.Sprintf("%d:%d %s %s: ", f.shard, f.pos, f.stream, f.name)
		o.wrong = append(o.wrong, where+fmt.Sprintf(format, args...))
	}
}

// see reads one event.
func (o *oracle) see(f fact) {
	o.must(f.pos == o.next[f.shard]+1, f, "follows position %d", o.next[f.shard])
	o.must(f.version == o.versions[f.stream]+1, f, "version %d follows %d", f.version, o.versions[f.stream])
	o.next[f.shard], o.versions[f.stream] = f.pos, f.version
	o.at[fmt.Sprintf("%d:%d", f.shard, f.pos)] = f
	if kind, _, _ := strings.Cut(f.name, "."); kind == "generation" {
		o.generation(f)
		return
	}
	o.must(f.stream == "account-"+f.owner, f, "stands in another's stream: %s", f.owner)
	b := o.accounts[f.owner]
	if (b == nil) != (f.name == "account.opened") {
		o.must(false, f, "an account begins with being opened, once")
		return
	}
	if b == nil {
		b = &books{grants: map[string]*pot{}, holds: map[string]*hold{}}
		o.accounts[f.owner] = b
	}
	o.account(b, f)
	o.must(b.granted == b.available+b.held+b.consumed+b.breakage, f, "credits come or go: %+v", *b)
	o.must(min(b.available, b.held, b.consumed, b.breakage) >= 0, f, "something is below zero: %+v", *b)
	for id, g := range b.grants {
		o.must(min(g.available, g.held) >= 0, f, "grant %s is below zero: %+v", id, *g)
	}
}

func (o *oracle) account(b *books, f fact) {
	switch f.name {
	case "account.opened", "account.tier_changed":
		b.slots = f.Limits.Slots
		o.must(f.Limits.Line == 0, f, "there are no credit lines here")
	case "account.credits_granted":
		o.must(b.grants[f.Grant] == nil && f.Amount > 0 && f.Repays == 0, f, "no new grant of something")
		b.grants[f.Grant] = &pot{available: f.Amount, effective: f.Effective, expires: f.Expires}
		b.granted += f.Amount
		b.available += f.Amount
	case "account.grant_expired":
		g := b.grants[f.Grant]
		if g == nil {
			o.must(false, f, "no such grant")
			return
		}
		o.must(!g.expires.IsZero() && !g.expires.After(f.At), f, "it runs until %s", g.expires)
		o.must(f.Amount == g.available && f.Amount > 0, f, "takes %d of %d", f.Amount, g.available)
		b.breakage += f.Amount
		b.available -= f.Amount
		g.available -= f.Amount
	case "account.credits_reserved":
		o.reserve(b, f)
	default:
		o.end(b, f)
	}
}

// move takes parts from one side of the grants to another.
func (o *oracle) move(b *books, f fact, parts []part, take func(*pot, int64)) (total int64) {
	for _, p := range parts {
		g := b.grants[p.Grant]
		if g == nil || p.Amount <= 0 {
			o.must(false, f, "a slice of %d of grant %s", p.Amount, p.Grant)
			continue
		}
		take(g, p.Amount)
		total += p.Amount
	}
	return total
}

func (o *oracle) reserve(b *books, f fact) {
	o.must(b.holds[f.Reservation] == nil, f, "the reservation is made a second time")
	open := 0
	for _, h := range b.holds {
		if h.ended == "" {
			open++
		}
	}
	o.must(open < b.slots, f, "%d reservations are open in %d slots", open, b.slots)
	o.must(f.Expires.After(f.At), f, "it has expired before it begins")
	total := o.move(b, f, f.Slices, func(g *pot, n int64) {
		o.must(!g.effective.After(f.At) && (g.expires.IsZero() || g.expires.After(f.At)), f, "a grant is not good now")
		g.available -= n
		g.held += n
	})
	o.must(total == f.Amount && total > 0, f, "slices of %d", total)
	b.available -= total
	b.held += total
	b.holds[f.Reservation] = &hold{of: f.Generation, amount: f.Amount, parts: f.Slices, expires: f.Expires}
}

// end reads what ends a reservation, or makes it last longer.
func (o *oracle) end(b *books, f fact) {
	h := b.holds[f.Reservation]
	if h == nil {
		o.must(false, f, "no such reservation: %s", f.Reservation)
		return
	}
	late := f.name == "account.credits_settled" && f.Late
	o.must(late == (h.ended != ""), f, "the reservation has ended: %q", h.ended)
	switch {
	case f.name == "account.reservation_extended":
		o.must(f.Expires.After(h.expires), f, "it does not last longer")
		h.expires = f.Expires
		return
	case late:
		o.must(h.ended == "account.reservation_expired" && !h.settled, f, "it cannot be settled late: %q", h.ended)
		h.charged = o.move(b, f, f.Charged, func(g *pot, n int64) { g.available -= n })
		b.available -= h.charged
		b.consumed += h.charged
		h.waived, h.settled = f.Waived, true
		o.must(h.charged+h.waived <= h.amount && len(f.Returned) == 0, f, "more than was reserved")
		return
	case f.name == "account.reservation_expired":
		o.must(!h.expires.After(f.At), f, "it runs until %s", h.expires)
	case f.name == "account.credits_settled":
		h.settled = true
		o.must(f.Waived == 0, f, "waives %d", f.Waived)
	default:
		o.must(f.name == "account.credits_released", f, "not known here")
	}
	h.ended = f.name
	h.charged = o.move(b, f, f.Charged, func(g *pot, n int64) { g.held -= n })
	back := func(g *pot, n int64) { g.held -= n; g.available += n }
	returned := o.move(b, f, f.Returned, back) + o.move(b, f, f.Slices, back)
	o.must(h.charged+returned == h.amount, f, "ends with %d of %d", h.charged+returned, h.amount)
	b.held -= h.amount
	b.available += returned
	b.consumed += h.charged
}

func (o *oracle) generation(f fact) {
	o.must(f.stream == "generation-"+f.Generation, f, "stands in another's stream")
	j := o.jobs[f.Generation]
	if f.name == "generation.requested" {
		o.must(j == nil, f, "is requested a second time")
		o.must(f.Reserved == prices[f.Spec.Model]*f.Spec.Count, f, "costs %d", f.Reserved)
		o.jobs[f.Generation] = &history{request: f, tries: 1}
		return
	}
	if j == nil || j.ended != nil || j.request.owner != f.owner {
		o.must(false, f, "the generation is not there, has ended, or is another's")
		return
	}
	o.must(f.Attempt == j.tries+1 && f.name == "generation.requeued" || f.Attempt == j.tries, f,
		"attempt %d of %d", f.Attempt, j.tries)
	switch f.name {
	case "generation.claimed":
		o.must(!j.taken && f.LeaseUntil.After(f.At), f, "another has it")
		j.taken, j.until, j.worker = true, f.LeaseUntil, f.Worker
	case "generation.lease_extended":
		o.must(j.taken && f.LeaseUntil.After(j.until), f, "there is no lease to extend")
		j.until = f.LeaseUntil
	case "generation.requeued":
		o.must(j.taken, f, "nobody has it")
		o.must(f.Cause != "lease_expired" || !j.until.After(f.At), f, "the lease runs until %s", j.until)
		j.taken, j.tries, j.until = false, f.Attempt, time.Time{}
	case "generation.completed":
		o.must(j.taken, f, "nobody has it")
		o.must(len(f.Images) >= 1 && int64(len(f.Images)) <= j.request.Spec.Count, f, "%d pictures", len(f.Images))
		for _, i := range f.Images {
			place := fmt.Sprintf("/%s/%s/%d/", f.owner, f.Generation, f.Attempt)
			o.must(strings.Contains(i.Key, place), f, "a picture of another attempt: %s", i.Key)
		}
		j.ended = &f
	case "generation.failed", "generation.cancelled":
		j.ended = &f
	case "generation.expired":
		o.must(!j.request.Deadline.After(f.At) && !j.until.After(f.At), f, "it is not over yet")
		j.ended = &f
	default:
		o.must(false, f, "not known here")
	}
}

// settle checks what each generation has cost, once all events were seen.
func (o *oracle) settle() {
	for _, id := range slices.Sorted(maps.Keys(o.jobs)) {
		j := o.jobs[id]
		h := o.accounts[j.request.owner].holds[j.request.Reservation]
		switch {
		case h == nil:
			o.must(false, j.request, "nothing was reserved for it")
			continue
		case j.ended == nil:
			o.must(false, j.request, "it has not ended")
			continue
		}
		o.must(h.amount == j.request.Reserved && h.of == id, j.request, "%d were reserved for %s", h.amount, h.of)
		o.must(h.ended != "", *j.ended, "its reservation has not ended")
		due := int64(0)
		switch {
		case j.ended.name == "generation.completed":
			due = prices[j.request.Spec.Model] * int64(len(j.ended.Images))
		case j.ended.name == "generation.cancelled" && j.taken:
			due = j.request.Reserved / 2
		}
		o.must(h.charged+h.waived == due, *j.ended, "costs %d and waives %d, not %d", h.charged, h.waived, due)
	}
	for _, owner := range slices.Sorted(maps.Keys(o.accounts)) {
		for _, id := range slices.Sorted(maps.Keys(o.accounts[owner].holds)) {
			h := o.accounts[owner].holds[id]
			o.must(h.ended != "", fact{stream: owner, name: id}, "the reservation has not ended")
			of := slices.IndexFunc(slices.Collect(maps.Values(o.accounts[owner].holds)), func(other *hold) bool {
				return other != h && other.of == h.of
			})
			o.must(of < 0, fact{stream: owner, name: id}, "a second reservation for %s", h.of)
		}
	}
}

// promises checks that every answer which a customer got is recorded, and that a key has one answer.
func (o *oracle) promises(w *world) {
	for _, c := range w.customers {
		first := map[string]ack{}
		acks := slices.SortedFunc(slices.Values(c.acks), func(a, b ack) int {
			return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.kind, b.kind), cmp.Compare(a.result, b.result))
		})
		for _, a := range acks {
			w.trace.add(a.key + a.result + string(a.code) + a.position.String())
			if strings.HasPrefix(a.kind, "misuse") {
				continue
			}
			if before, again := first[a.key]; again && before != a {
				o.wrong = append(o.wrong, fmt.Sprintf("%s has two answers: %+v and %+v", a.key, before, a))
			}
			if _, again := first[a.key]; !again {
				first[a.key] = a
				o.promise(w, a)
			}
		}
	}
}

// made names the event that each kind of command ends with.
var made = map[string]string{
	"open": "account.credits_granted", "request": "generation.requested", "cancel": "generation.cancelled",
	"grant": "account.credits_granted", "reserve": "account.credits_reserved", "plan": "account.tier_changed",
}

func (o *oracle) promise(w *world, a ack) {
	say := func(format string, args ...any) {
		o.wrong = append(o.wrong, fmt.Sprintf("%s of %s: %s", a.key, a.account, fmt.Sprintf(format, args...)))
	}
	code, result, position, err := w.recorded(a.account, a.key)
	switch {
	case err != nil:
		say("its answer is not recorded: %v", err)
	case code != string(a.code) || result != a.result:
		say("it was answered with %s%s, and recorded is %s%s", a.code, a.result, code, result)
	case position != a.position:
		say("it was answered at %s, and recorded is %s", a.position, position)
	}
	if a.position.IsZero() {
		return
	}
	f, there := o.at[a.position.String()]
	if !there || f.owner != string(a.account) || made[a.kind] != "" && f.name != made[a.kind] {
		say("at %s stands %s of %s", a.position, f.name, f.owner)
	}
	// A release of what had expired may end with anything else that had.
	if strings.HasSuffix(f.name, "_expired") {
		return
	}
	if a.id != "" && a.id != f.Generation && a.id != f.Reservation && a.id != f.Grant {
		say("at %s stands nothing of %s", a.position, a.id)
	}
}
