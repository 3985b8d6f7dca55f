package generate

import (
	"maps"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// What a worker remembers of the accounts that it served.
const (
	accountsMax   = 10_000
	accountMemory = time.Hour
)

// History is what a worker has taken so far, as far as it decides who is next. The zero value is none.
type History struct {
	// served is each tier's virtual time: service in seconds by its weight.
	served map[domain.Tier]float64
	// now is the virtual time at which a tier begins that was idle.
	now float64
	// accounts says when an account was served last.
	accounts map[string]time.Time
}

// Take records that the worker took a job.
func (h *History) Take(o generation.Offer, at time.Time) {
	if h.served == nil {
		*h = h.clone()
	}
	h.serve(o, at)
	if len(h.accounts) <= accountsMax {
		return
	}
	maps.DeleteFunc(h.accounts, func(_ string, served time.Time) bool { return at.Sub(served) > accountMemory })
	if len(h.accounts) > accountsMax {
		clear(h.accounts)
	}
}

// CatchUp brings the tiers up to the present: what a tier without open jobs did not use is not saved up, and what
// other workers took before this one could is saved up within a bound.
func (h *History) CatchUp(offers []generation.Offer) {
	if h.served == nil {
		*h = h.clone()
	}
	open := make(map[domain.Tier]bool)
	for _, o := range offers {
		open[o.Tier] = true
	}
	for _, tier := range domain.Tiers() {
		floor := h.now
		if open[tier] {
			floor -= headStart(ageMax)
		}
		h.served[tier] = max(h.served[tier], floor)
	}
}

func (h History) clone() History {
	c := History{served: make(map[domain.Tier]float64), now: h.now, accounts: make(map[string]time.Time)}
	maps.Copy(c.served, h.served)
	maps.Copy(c.accounts, h.accounts)
	return c
}

// nextTier returns the tier whose turn it is; of equals the one whose job is older, then the better one. It returns
// false if nothing is open.
func (h History) nextTier(queues map[domain.Tier]*tierQueue, now time.Time) (domain.Tier, bool) {
	var next domain.Tier
	var least float64
	var since time.Time
	for _, tier := range domain.Tiers() { // best first
		if len(queues[tier].accounts) == 0 {
			continue
		}
		oldest := queues[tier].oldest
		due := h.served[tier] - headStart(now.Sub(oldest))
		if next == "" || due < least || (due == least && oldest.Before(since)) {
			next, least, since = tier, due, oldest
		}
	}
	return next, next != ""
}

func (h *History) serve(o generation.Offer, at time.Time) {
	cost := max(time.Duration(o.EstimateMillis)*time.Millisecond, costMin)
	h.now = max(h.now, h.served[o.Tier]-headStart(at.Sub(o.Enqueued)))
	h.served[o.Tier] += cost.Seconds() / float64(o.Tier.Weight())
	h.accounts[o.Account] = at
}

// turnOf says since when the account of a job has been waiting for its turn.
func (h History) turnOf(o generation.Offer) time.Time {
	if served := h.accounts[o.Account]; served.After(o.Enqueued) {
		return served
	}
	return o.Enqueued
}

// headStart turns waiting into virtual time.
func headStart(age time.Duration) float64 {
	return min(max(age, 0), ageMax).Seconds() / ageWorth.Seconds()
}
