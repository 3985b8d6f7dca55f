package account

import (
	"cmp"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Source says why credits were granted.
type Source string

// The sources of grants.
const (
	SourcePlan         Source = "plan"
	SourceTopUp        Source = "top_up"
	SourcePromotion    Source = "promotion"
	SourceAdjustment   Source = "adjustment"
	SourceCompensation Source = "compensation"
)

// Check returns CodeInvalid for a source that does not exist.
func (s Source) Check() error {
	switch s {
	case SourcePlan, SourceTopUp, SourcePromotion, SourceAdjustment, SourceCompensation:
		return nil
	}
	return domain.Errorf(domain.CodeInvalid, "there is no grant source %q", string(s))
}

// The range of a grant's priority: lower is drawn first.
const (
	PriorityFirst = 0
	PriorityUsual = 50
	PriorityLast  = 100
)

// Scope limits what a grant may pay for. An empty list allows everything.
type Scope struct {
	Models     []string `json:"models,omitempty"`
	Operations []string `json:"operations,omitempty"`
}

// Allows reports whether credits of this scope may pay for the use.
func (s Scope) Allows(u Use) bool {
	return (len(s.Models) == 0 || slices.Contains(s.Models, u.Model)) &&
		(len(s.Operations) == 0 || slices.Contains(s.Operations, u.Operation))
}

// Use is what credits are spent on.
type Use struct {
	Model     string `json:"model"`
	Operation string `json:"operation"`
}

// LineGrant stands in a slice for the account's credit line instead of a grant.
const LineGrant domain.GrantID = "line"

// Slice is a part of a grant, or of the credit line.
type Slice struct {
	Grant  domain.GrantID `json:"grant"`
	Amount domain.Credits `json:"amount"`
}

// Total adds the amounts of the slices.
func Total(parts []Slice) domain.Credits {
	var sum domain.Credits
	for _, p := range parts {
		sum += p.Amount
	}
	return sum
}

// Grant is what is alive of one grant.
type Grant struct {
	ID        domain.GrantID
	Source    Source
	Priority  int
	Sequence  int // order of granting within the account
	Effective time.Time
	Expires   time.Time // zero means never
	Scope     Scope
	Available domain.Credits
	Reserved  domain.Credits
}

// Expired reports whether the grant has run out at this time. The instant of expiry itself counts as after.
func (g *Grant) Expired(at time.Time) bool { return !g.Expires.IsZero() && !g.Expires.After(at) }

// Spendable reports whether the grant may pay for the use at this time.
func (g *Grant) Spendable(u Use, at time.Time) bool {
	return g.Available > 0 && !g.Effective.After(at) && !g.Expired(at) && g.Scope.Allows(u)
}

// drawOrder is the total order in which grants are spent, version 1: priority, expiry with never last, sequence.
func drawOrder(a, b *Grant) int {
	if c := cmp.Compare(a.Priority, b.Priority); c != 0 {
		return c
	}
	if c := compareExpiry(a.Expires, b.Expires); c != 0 {
		return c
	}
	return cmp.Compare(a.Sequence, b.Sequence)
}

func compareExpiry(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

// split divides the slices after the first amount credits of them.
func split(parts []Slice, amount domain.Credits) (first, rest []Slice) {
	for _, p := range parts {
		take := min(p.Amount, amount)
		amount -= take
		if take > 0 {
			first = append(first, Slice{p.Grant, take})
		}
		if left := p.Amount - take; left > 0 {
			rest = append(rest, Slice{p.Grant, left})
		}
	}
	return first, rest
}
