package account_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// model is a second account, written from the rules of the package comment and as plainly as possible: it keeps
// everything that ever happened and adds it all up anew for every answer.
type model struct {
	limits       account.Limits
	grants       []*modelGrant // as granted
	reservations []*modelReservation
}

type modelGrant struct {
	account.GrantCredits
	repaid domain.Credits // to the credit line
	broken domain.Credits // expired
}

type modelReservation struct {
	account.Reserve
	held    []account.Slice // while it is open
	charged []account.Slice
	lapsed  bool // expired and not settled since
}

// window is how long after its expiry a reservation may be settled.
const window = 72 * time.Hour

func (r *modelReservation) open() bool { return len(r.held) > 0 }

func (r *modelReservation) late(at time.Time) bool {
	return r.lapsed && at.Before(r.Expires.Add(window))
}

func of(id domain.GrantID, parts []account.Slice) domain.Credits {
	var sum domain.Credits
	for _, p := range parts {
		if p.Grant == id {
			sum += p.Amount
		}
	}
	return sum
}

func (m *model) held(id domain.GrantID) domain.Credits {
	var sum domain.Credits
	for _, r := range m.reservations {
		sum += of(id, r.held)
	}
	return sum
}

func (m *model) charged(id domain.GrantID) domain.Credits {
	var sum domain.Credits
	for _, r := range m.reservations {
		sum += of(id, r.charged)
	}
	return sum
}

func (m *model) left(g *modelGrant) domain.Credits {
	return g.Amount - g.repaid - g.broken - m.held(g.Grant) - m.charged(g.Grant)
}

// lineOwed is what was consumed on the credit line and not paid back.
func (m *model) lineOwed() domain.Credits {
	owed := m.charged(account.LineGrant)
	for _, g := range m.grants {
		owed -= g.repaid
	}
	return owed
}

func (m *model) lineUsed() domain.Credits { return m.lineOwed() + m.held(account.LineGrant) }

func (m *model) totals() account.Totals {
	t := account.Totals{Available: -m.lineUsed()}
	for _, g := range m.grants {
		t.Issuance -= g.Amount
		t.Available += m.left(g)
		t.Breakage += g.broken
	}
	for _, r := range m.reservations {
		t.Reserved += account.Total(r.held)
		t.Consumed += account.Total(r.charged)
	}
	return t
}

func (m *model) countOpen() int {
	n := 0
	for _, r := range m.reservations {
		if r.open() {
			n++
		}
	}
	return n
}

func (m *model) find(id domain.ReservationID) *modelReservation {
	for _, r := range m.reservations {
		if r.Reservation == id {
			return r
		}
	}
	return nil
}

func over(expires, at time.Time) bool { return !expires.IsZero() && !at.Before(expires) }

// advance lets time pass: one moment after the other, reservations before grants.
func (m *model) advance(now time.Time) {
	for {
		var moments []time.Time
		for _, r := range m.reservations {
			if r.open() && over(r.Expires, now) {
				moments = append(moments, r.Expires)
			}
		}
		for _, g := range m.grants {
			if m.left(g) > 0 && over(g.Expires, now) {
				moments = append(moments, g.Expires)
			}
		}
		if len(moments) == 0 {
			return
		}
		moment := slices.MinFunc(moments, time.Time.Compare)
		for _, r := range m.reservations {
			if r.open() && over(r.Expires, moment) {
				r.held, r.lapsed = nil, true
			}
		}
		m.breakUp(moment)
	}
}

// breakUp takes what is left of grants that are over.
func (m *model) breakUp(at time.Time) {
	for _, g := range m.grants {
		if over(g.Expires, at) {
			g.broken += m.left(g)
		}
	}
}

// draw picks slices for as much of the amount as there is.
func (m *model) draw(amount domain.Credits, use account.Use, at time.Time) []account.Slice {
	order := slices.Clone(m.grants)
	never := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	end := func(g *modelGrant) time.Time {
		if g.Expires.IsZero() {
			return never
		}
		return g.Expires
	}
	slices.SortStableFunc(order, func(a, b *modelGrant) int {
		return cmp.Or(a.Priority-b.Priority, end(a).Compare(end(b)))
	})
	var parts []account.Slice
	take := func(id domain.GrantID, have domain.Credits) {
		if n := min(amount, have); n > 0 {
			parts = append(parts, account.Slice{Grant: id, Amount: n})
			amount -= n
		}
	}
	for _, g := range order {
		inModels := len(g.Scope.Models) == 0 || slices.Contains(g.Scope.Models, use.Model)
		inOperations := len(g.Scope.Operations) == 0 || slices.Contains(g.Scope.Operations, use.Operation)
		if inModels && inOperations && !at.Before(g.Effective) {
			take(g.Grant, m.left(g))
		}
	}
	take(account.LineGrant, m.limits.CreditLine-m.lineUsed())
	return parts
}

// do performs a command and returns the code of the refusal, or "". Time must have advanced to the command's.
func (m *model) do(c account.Command) domain.Code {
	switch c := c.(type) {
	case account.GrantCredits:
		return m.grant(c)
	case account.Reserve:
		return m.reserve(c)
	case account.Extend:
		return m.extend(c)
	case account.Settle:
		return m.settle(c)
	case account.Release:
		return m.release(c)
	case account.ChangeTier:
		if c.Limits.Slots < 1 || c.Limits.CreditLine < 0 {
			return domain.CodeInvalid
		}
		m.limits = c.Limits
	case account.Open:
		return domain.CodeConflict
	}
	return ""
}

func (m *model) grant(c account.GrantCredits) domain.Code {
	for _, g := range m.grants {
		if g.Grant == c.Grant {
			return domain.CodeConflict
		}
	}
	endless := c.Expires.IsZero()
	if c.Amount < 1 || c.Priority < 0 || c.Priority > 100 || !endless && !c.Expires.After(c.At) ||
		!endless && !c.Expires.After(c.Effective) {
		return domain.CodeInvalid
	}
	g := &modelGrant{GrantCredits: c}
	if c.Source == account.SourceTopUp {
		g.repaid = min(c.Amount, m.lineOwed())
	}
	m.grants = append(m.grants, g)
	return ""
}

func (m *model) reserve(c account.Reserve) domain.Code {
	if c.Amount < 1 || !c.Expires.After(c.At) {
		return domain.CodeInvalid
	}
	if m.find(c.Reservation) != nil {
		return domain.CodeConflict
	}
	if m.countOpen() >= m.limits.Slots {
		return domain.CodeConcurrencyLimit
	}
	parts := m.draw(c.Amount, c.Use, c.At)
	if account.Total(parts) < c.Amount {
		return domain.CodeInsufficientCredits
	}
	m.reservations = append(m.reservations, &modelReservation{Reserve: c, held: parts})
	return ""
}

func (m *model) extend(c account.Extend) domain.Code {
	r := m.find(c.Reservation)
	if r == nil || !r.open() {
		return domain.CodeAlreadyEnded
	}
	if c.Expires.After(r.Expires) {
		r.Expires = c.Expires
	}
	return ""
}

func (m *model) settle(c account.Settle) domain.Code {
	r := m.find(c.Reservation)
	switch {
	case c.Charge < 0:
		return domain.CodeInvalid
	case r == nil || !r.open() && !r.late(c.At):
		return domain.CodeAlreadyEnded
	case c.Charge > r.Amount:
		return domain.CodeInvalid
	case r.open():
		for _, p := range r.held {
			n := min(p.Amount, c.Charge)
			c.Charge -= n
			r.charged = append(r.charged, account.Slice{Grant: p.Grant, Amount: n})
		}
		r.held = nil
		m.breakUp(c.At)
	default:
		r.charged, r.lapsed = m.draw(c.Charge, r.Use, c.At), false
	}
	return ""
}

func (m *model) release(c account.Release) domain.Code {
	r := m.find(c.Reservation)
	switch {
	case r != nil && r.open():
		r.held = nil
		m.breakUp(c.At)
	case r == nil || !r.late(c.At):
		return domain.CodeAlreadyEnded
	}
	return ""
}
