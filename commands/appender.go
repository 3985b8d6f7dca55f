package commands

import (
	"context"
	"sync"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of one appender.
const (
	// queueMax is how many commands may wait before they can join a batch; one more is refused with CodeUnavailable.
	queueMax = 4096
	// batchMax is how many commands are appended together.
	batchMax = 512
	// batchEvents and batchBytes close a batch early. What one command adds beyond them must fit into an append.
	batchEvents = eventstore.EventsMax / 2
	batchBytes  = eventstore.AppendBytesMax / 4
	// batchTimeout bounds the work on one batch. It does not depend on any caller, since a batch has many.
	batchTimeout = 15 * time.Second
	// recentMax is how many recent outcomes are kept for those who ask again, recentBytes how large each may be with
	// its events.
	recentMax   = 4096
	recentBytes = 4 << 10
)

// appender decides and appends the commands of some shards. Each command is decided at once by its caller, on states
// that include what is decided but not appended yet, and joins the open batch. One batch at a time is being appended;
// meanwhile the next one fills. Nobody is answered before the batch is recorded, so if it is not, what was decided on
// top of it is decided anew.
type appender struct {
	ledger *Ledger

	mu      sync.Mutex
	shards  map[int]*shard
	states  *states
	open    *batch // takes commands
	running bool   // batches are being appended
	// contested is positive while most units come too late, see contest.
	contested int
	queued    int       // commands that wait for others before they can join
	inLine    int       // commands that were called, or will be, and join in no time
	calm      sync.Cond // there are none
	// blocked are accounts whose states hold what will not be appended, until their batch is done.
	blocked map[domain.AccountID]*batch
	now     chan struct{} // is closed
	keys    *keys
	repeats repeats // whose keys are looked up first

	gathering *lookup // keys to look up when those before are
	looking   bool    // keys are being looked up
}

// errFull is the answer where queueMax commands wait.
var errFull = domain.Errorf(domain.CodeUnavailable, "too many commands wait already")

func newAppender(l *Ledger, stateBytes int) *appender {
	now := make(chan struct{})
	close(now)
	a := &appender{
		ledger: l, shards: map[int]*shard{}, states: newStates(stateBytes), open: newBatch(0),
		blocked: map[domain.AccountID]*batch{}, now: now, keys: newKeys(),
	}
	a.calm.L = &a.mu
	return a
}

// shard returns what is known of a shard. The lock is held.
func (a *appender) shard(id int) *shard {
	s := a.shards[id]
	if s == nil {
		s = &shard{id: id, epoch: 1, loader: newLoader(a, id)}
		a.shards[id] = s
	}
	return s
}

// run runs a command with others and returns its answer. It returns ctx's error only for a command that was not run.
func (a *appender) run(ctx context.Context, c *command) answer {
	defer a.leave(c)
	for c.tries < triesMax {
		if a.try(ctx, c) {
			return c.answer
		}
	}
	return answer{err: domain.Errorf(domain.CodeStaleVersion, "the account is very busy, nothing was done")}
}

// leave ends a command, wherever it stands.
func (a *appender) leave(c *command) {
	if c.line == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveOn(c)
}

// try runs the command once. It returns false if it is to be tried again.
func (a *appender) try(ctx context.Context, c *command) (done bool) {
	if c.duplicate || a.looksFirst(c) {
		if c.answer, done = a.lookUp(ctx, c); done {
			return true
		}
	}
	a.mu.Lock()
	held, err := a.hold(ctx, c)
	var next step
	var wait <-chan struct{}
	if err != nil {
		c.answer, next = answer{err: err}, answered
	} else {
		next, wait = a.join(c, held)
	}
	if next != joined {
		a.states.release(held)
	}
	if next != joined || !c.crowded {
		a.giveOn(c)
	}
	a.mu.Unlock()

	switch next {
	case answered:
		return true
	case joined:
		a.encode(context.WithoutCancel(ctx), c)
		<-c.batch.done // what has joined is run, whatever becomes of its caller
		if c.again {
			c.tries++
			c.waitTurn()
		}
		return !c.again
	default:
		return a.wait(ctx, c, wait)
	}
}

// encode encodes a command that has joined and ends its turn. Not before that is done may its batch go on, which may
// line the command up anew.
func (a *appender) encode(ctx context.Context, c *command) {
	defer c.batch.encoding.Done()
	c.encode(ctx, a.ledger.codec)
	a.leave(c)
}

// hold returns the entries of the command's streams, loaded, or why they are not. The lock is held, but not while the
// streams are being loaded.
func (a *appender) hold(ctx context.Context, c *command) ([]*entry, error) {
	held, fresh := a.states.hold(c, a.shard(c.shardID))
	if len(fresh) > 0 {
		w := a.load(c, fresh)
		a.giveOn(c)
		a.mu.Unlock()
		err := w.wait()
		a.mu.Lock()
		for _, e := range fresh {
			if e.err = err; err != nil {
				a.states.bury(e)
			}
			if !e.own && !e.assumed {
				e.asOf = 0
			}
			e.loaded = true
			a.lineUp(e.waiting)
			e.waiting = nil
			close(e.ready)
		}
	}
	for _, e := range held {
		if !e.loaded {
			a.giveOn(c) // nobody may have to wait for what is being read
			e.waiting = append(e.waiting, c)
			if err := a.await(ctx, c, e.ready); err != nil {
				return held, err
			}
		}
		if e.err != nil {
			return held, e.err
		}
	}
	return held, nil
}

// await waits until others are done, and then for its turn among those who did so, too. The lock is held, but not
// meanwhile.
func (a *appender) await(ctx context.Context, c *command, others <-chan struct{}) (err error) {
	a.mu.Unlock()
	select {
	case <-others:
		c.waitTurn()
	case <-ctx.Done():
		err = ctx.Err()
	}
	a.mu.Lock()
	c.left = err != nil
	return err
}

// step says how a command goes on.
type step int

const (
	joined   step = iota // it is part of the batch
	answered             // it has its answer
	delayed              // it waits for others and tries again
)

// join decides the command and adds it to the open batch, or returns what it has to wait for. The lock is held.
func (a *appender) join(c *command, held []*entry) (step, <-chan struct{}) {
	key, keyed := c.key()
	if keyed {
		switch known := a.keys.find(key); {
		case known == nil:
		case known.command != nil:
			return delayed, known.command.batch.follow(c)
		default:
			c.answer = answer{recorded: &known.recorded}
			return answered, nil
		}
	}
	if b := a.blocked[c.caller.Account]; b != nil {
		return delayed, b.follow(c)
	}
	for _, e := range held {
		if e.dead {
			return delayed, a.now
		}
	}
	if !a.open.hasRoom() {
		if a.queued >= queueMax {
			c.answer = answer{err: errFull}
			return answered, nil
		}
		return delayed, a.open.closed
	}
	a.add(c, held)
	if keyed {
		a.keys.begin(key, c)
	}
	return joined, nil
}

// add decides the command as part of the open batch, and has batches appended from now on.
func (a *appender) add(c *command, held []*entry) {
	b := a.open
	c.batch = b
	if clean := b.unitOf(c, a.shard(c.shardID)).add(c, held); !clean {
		a.blocked[c.caller.Account] = b
	}
	if b.commands++; b.commands == besideMin {
		close(b.many)
	}
	b.events += len(c.events)
	b.encoding.Add(1)
	if !a.running {
		a.running = true
		go a.appendAll()
	}
}

// wait waits for others. It returns true if the caller has given up.
func (a *appender) wait(ctx context.Context, c *command, others <-chan struct{}) (done bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queued++
	err := a.await(ctx, c, others)
	a.queued--
	if err != nil {
		c.answer = answer{err: err}
	}
	return err != nil
}
