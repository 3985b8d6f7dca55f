package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/pingvas/pingvas/eventstore"
)

// appendAll appends one batch after another until there is none.
func (a *appender) appendAll() {
	for {
		b := a.next()
		if b == nil {
			return
		}
		end := a.ledger.turns.begin(b.many)
		a.take(b)
		b.encoding.Wait()
		a.mu.Lock()
		batches := a.seal(b)
		a.mu.Unlock()
		start := time.Now()
		out, err := a.append(batches)
		end()
		took := time.Since(start)
		learnt := a.decode(out)
		a.mu.Lock()
		snapshots := a.finish(b, out, err, learnt)
		yield := a.contest(out)
		a.lineUpAfter(b)
		a.mu.Unlock()
		close(b.done)
		a.ledger.save(snapshots)
		if yield {
			time.Sleep(min(took, yieldMax))
		}
	}
}

const (
	// contestedAppends is for how many appends after one that mostly came too late the accounts count as contested.
	contestedAppends = 16
	// yieldMax bounds how long an appender waits then before it begins another batch.
	yieldMax = 5 * time.Millisecond
)

// contest reports whether to wait after an append: it was in time, and lately most were not, because others append to
// the same accounts. Without a break they would now always be too late. The lock is held.
func (a *appender) contest(out []eventstore.Appended) (yield bool) {
	late, all := 0, 0
	for _, o := range out {
		for _, r := range o.Results {
			if all++; r.Status == eventstore.StatusConflict {
				late++
			}
		}
	}
	if 2*late > all {
		a.contested = contestedAppends
		return false
	}
	a.contested = max(0, a.contested-1)
	return a.contested > 0
}

// next returns the open batch, or nil if there is nothing to append.
func (a *appender) next() *batch {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settleDown()
	if a.running = a.open.commands > 0; !a.running {
		return nil
	}
	return a.open
}

// take closes the open batch and opens the next one.
func (a *appender) take(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settleDown()
	a.open = newBatch(len(b.units)) // likely it becomes as large
	close(b.closed)
}

// settleDown waits for the commands that join in no time. The lock is held, but not meanwhile.
func (a *appender) settleDown() {
	for a.inLine > 0 {
		a.calm.Wait()
	}
}

// seal returns what is to be appended, by shard. A unit that would make the call too large is void. The lock is held.
func (a *appender) seal(b *batch) []eventstore.Batch {
	var out []eventstore.Batch
	index, units := map[*shard]int{}, map[*shard]int{}
	for _, u := range b.units {
		units[u.shard]++
	}
	bytes, r := 0, b.room()
	for _, u := range b.units {
		sealed, size := u.seal(r)
		u.large = bytes+size > eventstore.AppendBytesMax
		u.void = u.void || u.large
		if u.void || len(sealed.Events)+len(sealed.Outcomes)+len(sealed.Reads) == 0 {
			continue
		}
		bytes += size
		i, ok := index[u.shard]
		if !ok {
			i = len(out)
			index[u.shard] = i
			out = append(out, eventstore.Batch{
				Shard: u.shard.id, Known: u.shard.knownHead(), Units: make([]eventstore.Unit, 0, units[u.shard]),
			})
		}
		u.sent, u.batch, u.index = true, i, len(out[i].Units)
		out[i].Units = append(out[i].Units, sealed)
		out[i].Check = out[i].Check || !u.trusted()
	}
	return out
}

// trusted reports whether all states that the unit was decided on are true while the shard's head is the known one.
func (u *unit) trusted() bool {
	for _, s := range u.uses {
		if s.asOf != u.shard.epoch {
			return false
		}
	}
	return true
}

// append makes a panic of the store an error of the batch: the appender must go on for the others.
func (a *appender) append(batches []eventstore.Batch) (out []eventstore.Appended, err error) {
	if len(batches) == 0 {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	out, err = a.ledger.store.Append(ctx, batches)
	switch {
	case err != nil:
		return nil, fmt.Errorf("append %d batches: %w", len(batches), err)
	case len(out) != len(batches):
		return nil, errors.New("the store has answered for other batches than it was given")
	}
	return out, nil
}

func panicked(r any) error { return fmt.Errorf("panic in a command: %v\n%s", r, debug.Stack()) }

// finish answers the commands of a batch, or has them tried again on newer states. It returns the snapshots of what was
// recorded. The lock is held.
func (a *appender) finish(
	b *batch, out []eventstore.Appended, err error, learnt [][]news,
) (snapshots []*snapshot) {
	sound := make([]bool, len(out))
	for _, u := range b.units {
		switch {
		case !u.sent:
		case err != nil:
			u.shard.known = false
		case u.index == 0:
			sound[u.batch] = u.shard.appended(out[u.batch])
		}
	}
	for _, u := range b.units {
		switch {
		case !u.sent:
			a.undo(u, true)
			u.repeat(0)
		case err != nil:
			a.undo(u, false)
			u.failed(err)
		case out[u.batch].Results[u.index].Status != eventstore.StatusAppended:
			a.undo(u, sound[u.batch])
			u.repeat(out[u.batch].Results[u.index].Status)
		default:
			u.appended(out[u.batch].Results[u.index].First)
			snapshots = append(snapshots, a.keep(b, u)...)
		}
	}
	for i, all := range learnt {
		for _, n := range all {
			if sound[i] {
				a.learn(n)
			}
		}
	}
	for _, u := range b.units {
		a.part(b, u)
	}
	return snapshots
}

// keep keeps what a recorded unit has left behind, unless its last command was refused halfway.
func (a *appender) keep(b *batch, u *unit) (snapshots []*snapshot) {
	for _, s := range u.uses {
		if s.written {
			s.own, s.assumed = true, false
		}
		if s.own {
			s.asOf = u.shard.epoch
		}
	}
	for _, c := range u.commands {
		if c.keyed != nil && c.answer.err == nil && c.size() <= recentBytes {
			a.keys.keep(c)
		}
		if c.snapshot != nil {
			snapshots = append(snapshots, c.snapshot)
		}
	}
	if a.blocked[u.account] == b {
		a.undo(u, false)
	}
	return snapshots
}

// undo forgets what the commands of the unit did to their states, and with it what was decided on top of that. Where
// sound is false, the states before may have been old already: then they are loaded anew.
func (a *appender) undo(u *unit, sound bool) {
	a.rewind(u, sound)
	if later := a.open.byOwner[u.account]; later != nil {
		a.void(later)
	}
}

// void has the commands of a unit of the open batch decided anew, and no others of the account until the batch is done.
func (a *appender) void(u *unit) {
	a.rewind(u, true)
	u.void = true
	a.blocked[u.account] = a.open
}

func (a *appender) rewind(u *unit, sound bool) {
	for _, s := range u.uses {
		if trusted := sound && s.asOf == u.shard.epoch; !trusted || !s.back() {
			a.states.bury(s.entry)
		}
	}
}

// part lets go of what the commands of a unit have held on to.
func (a *appender) part(b *batch, u *unit) {
	if a.blocked[u.account] == b {
		delete(a.blocked, u.account)
	}
	for _, c := range u.commands {
		a.keys.end(c)
		a.states.release(c.held)
	}
}
