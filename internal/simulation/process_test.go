package simulation

import (
	"context"
	"fmt"
	"strconv"
	"testing/synctest"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/dispatch"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/settle"
)

// appenders is how many each process has, whatever the machine.
const appenders = 2

// role is what a process does.
type role string

const (
	roleAPI      role = "api"
	roleSettle   role = "settle"
	roleSchedule role = "schedule"
	roleOutbox   role = "outbox"
	roleDispatch role = "dispatch"
	roleWorker   role = "worker"
)

// Bounds of the processes.
const (
	sweepEvery   = 3 * time.Second
	restartMax   = 6 * time.Second
	workerGrace  = 3 * time.Second
	settleResult = "settle" // the name of the group's members in the trace
)

// process is a place where one life after the other runs.
type process struct {
	w     *world
	role  role
	name  string
	ahead time.Duration // how far its clock is ahead
	life  *life
	away  bool // a restart is on the agenda
}

// life is a process between its start and its end.
type life struct {
	p      *process
	name   string
	ctx    context.Context
	cancel context.CancelFunc
	dead   bool          // crashed: nothing that it does has an effect any more
	paused bool          // stopped: it does nothing until it is resumed
	broken chan struct{} // closed by a crash: connections break
	drain  chan struct{} // closed to make a worker shut down
	over   chan struct{} // closed when all of it has returned
	ledger *commands.Ledger
	heads  []int64 // what it was told of the heads; nil to be told at once
	err    error   // with which it ended
	// requests counts the commands that it was to run.
	requests int
	// Of an outbox: the shards that it will begin anew, and where it has left their checkpoints.
	trouble     map[int]bool
	checkpoints map[int]int64
}

// String names the process and its life; nil is the customers' side.
func (l *life) String() string {
	if l == nil {
		return "outside"
	}
	return l.name
}

// now is the clock of the process.
func (l *life) now() time.Time {
	l.p.w.look()
	return time.Now().Add(l.p.ahead).UTC().Truncate(time.Microsecond)
}

func (w *world) addProcesses() {
	add := func(r role, n int) {
		for i := range n {
			p := &process{w: w, role: r, name: string(r) + "-" + strconv.Itoa(i+1)}
			w.processes = append(w.processes, p)
		}
	}
	add(roleAPI, w.plan.apis)
	add(roleSettle, w.plan.settlers)
	add(roleSchedule, w.plan.sweepers)
	add(roleOutbox, w.plan.outboxes)
	add(roleDispatch, w.plan.dispatchers)
	add(roleWorker, w.plan.workers)
	for _, p := range w.processes {
		p.start()
	}
}

// start begins the next life.
func (p *process) start() {
	n := 1
	for _, l := range p.w.lives {
		if l.p == p {
			n++
		}
	}
	l := &life{
		p: p, name: p.name + "/" + strconv.Itoa(n), broken: make(chan struct{}), drain: make(chan struct{}),
		over: make(chan struct{}), trouble: map[int]bool{}, checkpoints: map[int]int64{},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	p.life, p.away = l, false
	p.w.lives = append(p.w.lives, l)
	run, err := p.boot(l)
	if err != nil {
		p.w.fault("start " + l.name + ": " + err.Error())
		close(l.over)
		return
	}
	p.w.trace.note(l.name, "starts")
	go func() {
		defer close(l.over)
		l.err = run(l.ctx)
	}()
}

func (p *process) boot(l *life) (func(context.Context) error, error) {
	var err error
	w := p.w
	switch p.role {
	case roleAPI, roleSettle, roleSchedule:
		l.ledger, err = commands.New(commands.Config{
			Store: w.bugs.store(storePort{w, l}), Codec: w.codec, Appenders: appenders,
		})
		if err != nil {
			return nil, err
		}
	}
	switch p.role {
	case roleAPI:
		return func(ctx context.Context) error { <-ctx.Done(); return nil }, nil
	case roleSettle:
		return w.newSettler(l)
	case roleSchedule:
		s, err := cleanup.New(cleanup.Config{
			Schedule: w.view, Ledger: ownLedger{l.ledger, l}, Every: sweepEvery, Now: l.now, Log: w.log,
		})
		if err != nil {
			return nil, err
		}
		return s.Run, nil
	case roleOutbox:
		o, err := outbox.New(outbox.Config{
			Ledger: storePort{w, l}, Publisher: recordPort{w, l}, Checkpoints: checkpointPort{w, l},
			Leadership: leadership{w, l}, Tails: tailPort{w, l}, Log: w.log,
		})
		if err != nil {
			return nil, err
		}
		return o.Run, nil
	case roleDispatch:
		c := dispatch.Config{
			Ledger: storePort{w, l}, Jobs: jobsPort{w, l}, Publisher: publisher{w, l},
			Offers: broadcast{w, l}.open, Pools: []string{pricing.PoolGPU}, Log: w.log,
		}
		if w.plan.feed {
			c.Feed = feed{w, l}
		}
		d, err := dispatch.New(c)
		if err != nil {
			return nil, err
		}
		return d.Run, nil
	case roleWorker:
		v, err := generate.New(generate.Config{
			Worker: l.name, Pool: pricing.PoolGPU, Engine: engine{w}, Claims: claims{w, l}, Offers: broadcast{w, l}.open,
			Publisher: publisher{w, l}, Grace: workerGrace, Draining: l.drain, Uploads: uploads(w, l), Log: w.log,
		})
		if err != nil {
			return nil, err
		}
		return v.Run, nil
	}
	return nil, fmt.Errorf("no role %q", p.role)
}

func (w *world) newSettler(l *life) (func(context.Context) error, error) {
	s, err := settle.New(settle.Config{Ledger: w.bugs.settle(ownLedger{l.ledger, l}, w), Now: l.now})
	if err != nil {
		return nil, err
	}
	router, err := workers.NewRouter(workers.Config{DeadLetters: publisher{w, l}, Log: w.log})
	if err != nil {
		return nil, err
	}
	if err := router.Add(s.Handler(w.bus.results.member(w, l))); err != nil {
		return nil, err
	}
	return router.Run, nil
}

// api returns one of the API processes that are there, or nil.
func (w *world) api(dice uint64) *life {
	var there []*life
	for _, p := range w.processes {
		if p.role == roleAPI && p.life != nil && !p.life.dead {
			there = append(there, p.life)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return there[dice%uint64(len(there))]
}

// crash ends a process at once. What it has under way may happen still.
func (p *process) crash() {
	w, l := p.w, p.life
	w.trace.note(l.name, "crashes")
	w.mu.Lock()
	l.dead, l.paused = true, false
	rest := w.calls[:0:0]
	var ended []*call
	for _, c := range w.calls {
		if c.by == l {
			ended = append(ended, c)
		} else {
			rest = append(rest, c)
		}
	}
	w.calls = rest
	w.mu.Unlock()
	w.bus.left(l)
	w.restart(p)
	// In the order of their names, and one after the other: each of them may draw and have an effect.
	for _, c := range sorted(ended) {
		t := turn{fate: gone}
		if c.class >= writing && c.seen && w.rng.IntN(2) == 0 {
			t = turn{fate: unheard, api: w.api(w.rng.Uint64())}
		}
		w.trace.call(time.Now(), c, t.fate)
		c.turn <- t
		synctest.Wait()
	}
	l.cancel()
	close(l.broken)
}

// restart starts the process again a little later.
func (w *world) restart(p *process) {
	if p.away {
		return
	}
	p.away = true
	w.later(time.Duration(w.rng.Int64N(int64(restartMax))), p.start)
}

// revive restarts what has ended by itself, as a worker does that was told to shut down.
func (w *world) revive() {
	for _, p := range w.processes {
		if p.away || p.life.dead {
			continue
		}
		select {
		case <-p.life.over:
			p.life.dead = true
			w.trace.note(p.life.name, "has ended")
			if p.life.err != nil {
				w.fault(p.life.name + " has failed: " + p.life.err.Error())
			}
			w.restart(p)
		default:
		}
	}
}

// pause stops a process as SIGSTOP does, for a while.
func (p *process) pause(d time.Duration) {
	l := p.life
	if l.dead || l.paused {
		return
	}
	l.paused = true
	p.w.trace.note(l.name, "is paused for "+d.String())
	p.w.later(d, func() {
		if l.paused {
			l.paused = false
			p.w.trace.note(l.name, "goes on")
		}
	})
}

// freeze keeps a message of a dispatcher on its way until others have taken over. The dispatcher itself is told to end,
// so that nobody waits for the lock that it holds meanwhile.
func (w *world) freeze(c *call) bool {
	l := c.by
	for _, other := range w.calls {
		if other.by == l && other.swift && other != c {
			return false
		}
	}
	w.trace.call(time.Now(), c, frozen)
	c.swift, c.class = false, steady
	c.due = time.Now().Add(time.Duration(w.rng.Int64N(int64(zombieMax))))
	l.cancel()
	w.restart(l.p)
	return true
}
