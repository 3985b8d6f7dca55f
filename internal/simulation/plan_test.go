package simulation

import (
	"math/rand/v2"
	"time"
)

// Bounds of what is drawn. Their odd nanoseconds keep timers apart.
const (
	usualMax     = 3*time.Millisecond + 1
	slowMax      = 4*time.Second + 1
	lateMax      = 15*time.Second + 1
	landMax      = 2*time.Second + 1
	lateOfferMax = 150 * time.Millisecond // less than a dispatcher waits before it begins anew
	zombieMax    = 20*time.Second + 1
	patienceMax  = 9 * time.Second
	grantMax     = 40 * time.Second
	drawMax      = 5*time.Second + 1
	drawLongMax  = 90*time.Second + 1
	pauseMax     = 45 * time.Second
	jumpMax      = 90 * time.Minute
	jumpUsualMax = 40 * time.Second
	stallMax     = 10 * time.Second
	stealMax     = 5*time.Second + 1
	// settleAfter is how long the world has to come to rest after the faults, before all clocks are put ahead by
	// lastJump, so that everything that time can end has ended, and restAfter how long from then.
	settleAfter = 45 * time.Second
	lastJump    = 3 * time.Hour
	restAfter   = 10 * time.Minute
	checkEvery  = time.Second
)

// plan is what a seed has in store: the processes, the customers, and how often what goes wrong.
type plan struct {
	shards, customers, orders                                int
	gap                                                      time.Duration
	apis, settlers, sweepers, outboxes, dispatchers, workers int
	feed                                                     bool
	faults                                                   time.Duration // how long things go wrong
	slow, lost, unheard, late, twice, zombies                float64
	crashes, pauses, jumps, drains, steals, shuffles         int
	breaks, compactions, stalls, cuts                        int
}

func newPlan(rng *rand.Rand) plan {
	p := plan{
		shards: 1 + rng.IntN(2), customers: 1 + rng.IntN(3), orders: 6, gap: 4 * time.Second,
		apis: 1 + rng.IntN(2), settlers: 1 + rng.IntN(2), sweepers: 1, outboxes: 1 + rng.IntN(2),
		dispatchers: 1 + rng.IntN(2), workers: 1 + rng.IntN(3), feed: rng.IntN(2) == 0,
		faults: 10*time.Second + time.Duration(rng.IntN(20))*time.Second,
	}
	if rng.IntN(12) == 0 {
		return p // a calm one
	}
	rate := func(most float64) float64 {
		if rng.IntN(2) == 0 {
			return 0
		}
		return rng.Float64() * most
	}
	p.slow, p.lost, p.unheard = rate(0.1), rate(0.1), rate(0.1)
	p.late, p.twice, p.zombies = rate(0.08), rate(0.1), rate(0.15)
	times := func(most int) int { return rng.IntN(most + 1) }
	p.crashes, p.pauses, p.jumps, p.drains = times(6), times(3), times(3), times(2)
	p.steals, p.shuffles, p.breaks, p.compactions = times(2), times(3), times(2), times(2)
	p.stalls, p.cuts = times(2), times(1)
	return p
}

// prepare puts the faults on the agenda, and what follows them.
func (w *world) prepare() {
	sometime := func(n int, do func()) {
		for range n {
			w.later(time.Duration(w.rng.Int64N(int64(w.plan.faults))), do)
		}
	}
	sometime(w.plan.crashes, func() { w.any("", (*process).crash) })
	sometime(w.plan.pauses, func() {
		w.any("", func(p *process) { p.pause(time.Duration(w.rng.Int64N(int64(pauseMax)))) })
	})
	sometime(w.plan.jumps, w.jump)
	sometime(w.plan.drains, func() { w.any(roleWorker, (*process).shutDown) })
	sometime(w.plan.steals, func() {
		w.trace.note("outbox", "the leadership is lost")
		w.bus.steal(time.Duration(w.rng.Int64N(int64(stealMax))))
	})
	sometime(w.plan.shuffles, func() {
		w.trace.note(settleResult, "the group is balanced anew")
		w.bus.results.rebalance(w.rng.IntN(2))
	})
	sometime(w.plan.breaks, func() { w.trace.note("bus", "the readers are thrown off"); w.bus.breaks++ })
	sometime(w.plan.compactions, func() { w.trace.note("bus", "the offers are compacted"); w.bus.compact() })
	sometime(w.plan.stalls, w.stall)
	sometime(w.plan.cuts, w.cut)
	w.later(w.plan.faults, w.heal)
}

// any does something to one of the processes that are there.
func (w *world) any(r role, do func(*process)) {
	var there []*process
	for _, p := range w.processes {
		if !p.life.dead && (r == "" || p.role == r) {
			there = append(there, p)
		}
	}
	if len(there) > 0 {
		do(there[w.rng.IntN(len(there))])
	}
}

// jump sets the clock of a process anew.
func (w *world) jump() {
	w.any("", func(p *process) {
		most := jumpUsualMax
		if w.rng.IntN(4) == 0 {
			most = jumpMax
		}
		p.ahead = time.Duration(w.rng.Int64N(int64(2*most))) - most/2
		w.peak = max(w.peak, p.ahead)
		w.trace.note(p.life.name, "has its clock ahead by "+p.ahead.String())
	})
}

func (p *process) shutDown() {
	select {
	case <-p.life.drain:
	default:
		p.w.trace.note(p.life.name, "is told to shut down")
		close(p.life.drain)
	}
}

func (w *world) stall() {
	w.trace.note("view", "stalls")
	w.view.stalled = true
	w.later(time.Duration(w.rng.Int64N(int64(stallMax))), func() { w.view.stalled = false })
}

// cut loses the newest published events together with all processes that know that they were published.
func (w *world) cut() {
	w.trace.note("bus", "the ends of the events are lost")
	w.bus.cut(w.rng.Uint64())
	for _, p := range w.processes {
		if p.role == roleOutbox && !p.life.dead {
			p.crash()
		}
	}
}

// heal ends the faults. What crashed comes back, and what was paused.
func (w *world) heal() {
	w.trace.note("world", "the faults are over")
	w.quiet, w.view.stalled = true, false
	for _, p := range w.processes {
		p.life.paused = false
	}
	w.bus.results.rebalance(0)
	w.later(settleAfter, func() {
		w.trace.note("world", "all clocks are put ahead")
		for _, p := range w.processes {
			p.ahead = w.peak + lastJump
		}
	})
	w.check()
}

// check ends the run as soon as the world is at rest.
func (w *world) check() {
	why := w.rest()
	switch {
	case why == "":
		w.finished = true
	case time.Since(w.started) > w.plan.faults+settleAfter+restAfter:
		w.fault("the world does not come to rest: " + why)
		w.finished = true
	default:
		w.later(checkEvery, w.check)
	}
}
