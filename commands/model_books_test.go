package commands_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// books are the credits of one account, kept as plainly as possible: lists that are searched, and no index.
type books struct {
	plan     string
	slots    int
	line     domain.Credits
	lineUsed domain.Credits
	pots     []pot
	grants   int // ever made
	open     []hold
	lapsed   []hold
	totals   account.Totals
	// events counts what the command that is being done has caused.
	events int
}

// pot is what is alive of a grant.
type pot struct {
	account.GrantCredits
	number     int
	left, held domain.Credits
}

// hold is a reservation.
type hold struct {
	id      domain.ReservationID
	job     domain.GenerationID
	parts   []account.Slice
	use     account.Use
	expires time.Time
}

// lateWindow is how long after its expiry a reservation may be settled.
const lateWindow = 72 * time.Hour

// clone returns books that may be changed without changing these.
func (b books) clone() *books {
	b.pots, b.open, b.lapsed = slices.Clone(b.pots), slices.Clone(b.open), slices.Clone(b.lapsed)
	b.events = 0
	return &b
}

func find(holds []hold, id domain.ReservationID) *hold {
	for i := range holds {
		if holds[i].id == id {
			return &holds[i]
		}
	}
	return nil
}

func without(holds []hold, id domain.ReservationID) []hold {
	return slices.DeleteFunc(holds, func(h hold) bool { return h.id == id })
}

func over(expires, at time.Time) bool { return !expires.IsZero() && !at.Before(expires) }

// age lets time pass, one thing after the other. A reservation goes before a grant that ends at the same time.
func (b *books) age(at time.Time) {
	for {
		var next *hold
		for i, h := range b.open {
			if over(h.expires, at) && (next == nil || h.expires.Before(next.expires) ||
				h.expires.Equal(next.expires) && h.id < next.id) {
				next = &b.open[i]
			}
		}
		var rotten *pot
		for i, p := range b.pots {
			if p.left > 0 && over(p.Expires, at) && (rotten == nil || p.Expires.Before(rotten.Expires)) {
				rotten = &b.pots[i]
			}
		}
		switch {
		case rotten != nil && (next == nil || rotten.Expires.Before(next.expires)):
			b.rot(rotten, rotten.left)
		case next != nil:
			b.lapse(*next)
		default:
			return
		}
	}
}

func (b *books) rot(p *pot, amount domain.Credits) {
	p.left -= amount
	b.totals.Available -= amount
	b.totals.Breakage += amount
	b.events++
}

func (b *books) lapse(h hold) {
	b.open = without(b.open, h.id)
	b.lapsed = append(b.lapsed, h)
	b.lapsed = slices.DeleteFunc(b.lapsed, func(old hold) bool { return old.expires.Before(h.expires.Add(-lateWindow)) })
	b.giveBack(h.parts)
	b.events++
}

// giveBack returns slices to where they came from.
func (b *books) giveBack(parts []account.Slice) {
	for _, s := range parts {
		b.totals.Reserved -= s.Amount
		b.totals.Available += s.Amount
		if s.Grant == account.LineGrant {
			b.lineUsed -= s.Amount
			continue
		}
		p := b.pot(s.Grant)
		p.held -= s.Amount
		p.left += s.Amount
	}
}

func (b *books) pot(id domain.GrantID) *pot {
	for i := range b.pots {
		if b.pots[i].Grant == id {
			return &b.pots[i]
		}
	}
	panic("the model has forgotten a grant that is needed")
}

// rotBack takes what came back to grants that have run out.
func (b *books) rotBack(parts []account.Slice, at time.Time) {
	for _, s := range parts {
		if s.Grant == account.LineGrant {
			continue
		}
		if p := b.pot(s.Grant); over(p.Expires, at) {
			b.rot(p, s.Amount)
		}
	}
}

func (p pot) pays(use account.Use, at time.Time) bool {
	return p.left > 0 && !p.Effective.After(at) && !over(p.Expires, at) &&
		(len(p.Scope.Models) == 0 || slices.Contains(p.Scope.Models, use.Model)) &&
		(len(p.Scope.Operations) == 0 || slices.Contains(p.Scope.Operations, use.Operation))
}

// draw names the slices for as much of the amount as there is.
func (b *books) draw(amount domain.Credits, use account.Use, at time.Time) (parts []account.Slice) {
	order := slices.Clone(b.pots)
	never := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	end := func(p pot) time.Time {
		if p.Expires.IsZero() {
			return never
		}
		return p.Expires
	}
	slices.SortFunc(order, func(a, b pot) int {
		return cmp.Or(a.Priority-b.Priority, end(a).Compare(end(b)), a.number-b.number)
	})
	take := func(from domain.GrantID, have domain.Credits) {
		if n := min(amount, have); n > 0 {
			parts = append(parts, account.Slice{Grant: from, Amount: n})
			amount -= n
		}
	}
	for _, p := range order {
		if p.pays(use, at) {
			take(p.Grant, p.left)
		}
	}
	take(account.LineGrant, b.line-b.lineUsed)
	return parts
}

// lineOwed is what was consumed on the credit line.
func (b *books) lineOwed() domain.Credits {
	owed := b.lineUsed
	for _, h := range b.open {
		for _, s := range h.parts {
			if s.Grant == account.LineGrant {
				owed -= s.Amount
			}
		}
	}
	return owed
}

// tidy forgets grants of which nothing is left.
func (b *books) tidy() {
	b.pots = slices.DeleteFunc(b.pots, func(p pot) bool { return p.left == 0 && p.held == 0 })
}

func (b *books) changePlan(plan string, slots int, line domain.Credits) {
	if b.plan != plan {
		b.plan, b.slots, b.line = plan, slots, line
		b.events++
	}
}

func (b *books) grant(c account.GrantCredits, made bool) *refused {
	b.age(c.At)
	switch {
	case made:
		return no(domain.CodeConflict)
	case c.Amount < 1 || over(c.Expires, c.At) || over(c.Expires, c.Effective):
		return no(domain.CodeInvalid)
	}
	b.grants++
	p := pot{GrantCredits: c, number: b.grants, left: c.Amount}
	if c.Source == account.SourceTopUp {
		repays := min(c.Amount, b.lineOwed())
		p.left -= repays
		b.lineUsed -= repays
	}
	b.pots = append(b.pots, p)
	b.totals.Issuance -= c.Amount
	b.totals.Available += c.Amount
	b.events++
	return nil
}

func (b *books) reserve(c account.Reserve) ([]account.Slice, *refused) {
	b.age(c.At)
	switch {
	case c.Amount < 1 || over(c.Expires, c.At):
		return nil, no(domain.CodeInvalid)
	case find(b.open, c.Reservation) != nil || find(b.lapsed, c.Reservation) != nil:
		return nil, no(domain.CodeConflict)
	case len(b.open) >= b.slots:
		return nil, &refused{domain.CodeConcurrencyLimit, text(account.Busy{Open: len(b.open), Limit: b.slots})}
	}
	parts := b.draw(c.Amount, c.Use, c.At)
	if have := account.Total(parts); have < c.Amount {
		return nil, &refused{domain.CodeInsufficientCredits,
			text(account.Shortfall{Required: c.Amount, Available: have, Reserved: b.totals.Reserved})}
	}
	for _, s := range parts {
		b.totals.Available -= s.Amount
		b.totals.Reserved += s.Amount
		if s.Grant == account.LineGrant {
			b.lineUsed += s.Amount
			continue
		}
		p := b.pot(s.Grant)
		p.left -= s.Amount
		p.held += s.Amount
	}
	b.open = append(b.open, hold{c.Reservation, c.Generation, parts, c.Use, c.Expires})
	b.events++
	return parts, nil
}

// ending is what became of a reservation.
type ending struct{ settled, released, waived domain.Credits }

func (b *books) settle(id domain.ReservationID, charge domain.Credits, at time.Time) (ending, *refused) {
	b.age(at)
	h := find(b.open, id)
	if charge < 0 {
		return ending{}, no(domain.CodeInvalid)
	}
	if h == nil {
		return b.settleLate(id, charge, at)
	}
	if charge > account.Total(h.parts) {
		return ending{}, no(domain.CodeInvalid)
	}
	var back []account.Slice
	left := charge
	for _, s := range h.parts {
		n := min(s.Amount, left)
		left -= n
		if s.Grant != account.LineGrant {
			b.pot(s.Grant).held -= n
		}
		b.totals.Reserved -= n
		b.totals.Consumed += n
		if n < s.Amount {
			back = append(back, account.Slice{Grant: s.Grant, Amount: s.Amount - n})
		}
	}
	b.open = without(b.open, id)
	b.events++
	b.giveBack(back)
	b.rotBack(back, at)
	return ending{settled: charge, released: account.Total(back)}, nil
}

// settleLate charges what is there for a reservation that has expired, and waives the rest.
func (b *books) settleLate(id domain.ReservationID, charge domain.Credits, at time.Time) (ending, *refused) {
	h := find(b.lapsed, id)
	switch {
	case h == nil || !at.Before(h.expires.Add(lateWindow)):
		return ending{}, no(domain.CodeAlreadyEnded)
	case charge > account.Total(h.parts):
		return ending{}, no(domain.CodeInvalid)
	}
	parts := b.draw(charge, h.use, at)
	for _, s := range parts {
		if s.Grant == account.LineGrant {
			b.lineUsed += s.Amount
		} else {
			b.pot(s.Grant).left -= s.Amount
		}
		b.totals.Available -= s.Amount
		b.totals.Consumed += s.Amount
	}
	b.lapsed = without(b.lapsed, id)
	b.events++
	found := account.Total(parts)
	return ending{settled: found, waived: charge - found}, nil
}

func (b *books) release(id domain.ReservationID, at time.Time) (ending, *refused) {
	b.age(at)
	h := find(b.open, id)
	if h == nil {
		if late := find(b.lapsed, id); late != nil && at.Before(late.expires.Add(lateWindow)) {
			return ending{}, nil
		}
		return ending{}, no(domain.CodeAlreadyEnded)
	}
	parts := h.parts
	b.open = without(b.open, id)
	b.events++
	b.giveBack(parts)
	b.rotBack(parts, at)
	return ending{released: account.Total(parts)}, nil
}

// keep makes an open reservation last longer, and is nothing for one that is over.
func (b *books) keep(id domain.ReservationID, until, at time.Time) {
	if h := find(b.open, id); h == nil || over(h.expires, at) {
		return
	}
	b.age(at)
	if h := find(b.open, id); until.After(h.expires) {
		h.expires = until
		b.events++
	}
}
