package commands

import (
	"sync"

	"github.com/pingvas/pingvas/domain/pricing"
)

// How measured times refine estimates.
const (
	// paceShare is what each measurement counts against all before it.
	paceShare = 0.1
	// paceMin and paceMax bound by how much an estimate may differ from the price book's.
	paceMin, paceMax = 0.25, 4.0
)

// Pace is how long models take compared with the price book, learnt from the jobs that have ended. It is safe for
// concurrent use. A nil Pace knows nothing.
type Pace struct {
	mu      sync.Mutex
	factors map[string]float64
}

// Learn takes note of a job: what the price book has expected, and what was measured, in milliseconds of GPU time.
// Models that are not in the book are passed over.
func (p *Pace) Learn(model string, expected, measured int64) {
	if p == nil || expected <= 0 || measured <= 0 {
		return
	}
	if _, err := pricing.Current().Model(model); err != nil {
		return
	}
	ratio := min(max(float64(measured)/float64(expected), paceMin), paceMax)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.factors == nil {
		p.factors = make(map[string]float64)
	}
	known, ok := p.factors[model]
	if !ok {
		known = 1
	}
	p.factors[model] = known + paceShare*(ratio-known)
}

// Refine returns an estimate of the price book as the measurements have it, at least a millisecond.
func (p *Pace) Refine(model string, millis int64) int64 {
	if p == nil {
		return millis
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	factor, ok := p.factors[model]
	if !ok {
		return millis
	}
	return max(1, int64(float64(millis)*factor))
}
