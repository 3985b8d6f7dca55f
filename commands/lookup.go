package commands

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/eventstore"
)

// lookupMax is how many keys are looked up at once.
const lookupMax = batchMax

// lookup is some keys that are looked up together.
type lookup struct {
	keys    []eventstore.OutcomeKey
	waiting []*command // are called in turn when that is done
	found   map[eventstore.OutcomeKey]eventstore.Outcome
	err     error
	done    chan struct{} // closed when that is done
}

// looksFirst reports whether to look the command's key up before it is decided. A command whose key was recorded long
// ago is decided in vain: the store notices the key, and its whole unit is decided anew without it. Nothing of it is
// ever visible, but it costs the others. So where that is likely, keys are looked up before, many at once.
func (a *appender) looksFirst(c *command) bool {
	key, keyed := c.key()
	if !keyed || c.looked {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.repeats.likely(key.Account) && a.keys.find(key) == nil
}

// lookUp answers from the outcome that is recorded under the command's key, if there is one.
func (a *appender) lookUp(ctx context.Context, c *command) (answer, bool) {
	key, _ := c.key()
	l := a.gather(c, key)
	if l == nil {
		return answer{err: errFull}, true
	}
	if a.wait(ctx, c, l.done) {
		return c.answer, true
	}
	if l.err != nil {
		return answer{err: fmt.Errorf("read the outcome of a key: %w", l.err)}, true
	}
	c.looked = true
	found, ok := l.found[key]
	if !ok {
		return answer{}, false
	}
	a.leave(c)
	recorded, err := a.ledger.recorded(ctx, found)
	return answer{recorded: recorded, err: err}, true
}

// gather has a key looked up, together with others while those before are being looked up. It returns nil if too many
// commands wait already.
func (a *appender) gather(c *command, key eventstore.OutcomeKey) *lookup {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveOn(c) // nobody may have to wait for what is being read
	if a.queued >= queueMax {
		return nil
	}
	if a.gathering == nil {
		a.gathering = &lookup{done: make(chan struct{})}
	}
	l := a.gathering
	l.keys, l.waiting = append(l.keys, key), append(l.waiting, c)
	if !a.looking || len(l.keys) == lookupMax {
		a.gathering, a.looking = nil, true
		go a.lookAll(l)
	}
	return l
}

// lookAll looks up what has gathered until there is nothing more.
func (a *appender) lookAll(l *lookup) {
	for l != nil {
		l.found, l.err = a.ledger.outcomes(l.keys)
		a.mu.Lock()
		for _, key := range l.keys {
			if _, again := l.found[key]; again {
				a.repeats.note(key.Account)
			}
		}
		a.lineUp(l.waiting)
		close(l.done)
		l, a.gathering = a.gathering, nil
		a.looking = l != nil
		a.mu.Unlock()
	}
}

// outcomes reads what is recorded under the keys. It does not depend on any caller, since there are many.
func (l *Ledger) outcomes(
	keys []eventstore.OutcomeKey,
) (found map[eventstore.OutcomeKey]eventstore.Outcome, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	return l.store.Outcomes(ctx, keys)
}
