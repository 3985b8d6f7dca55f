package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// batch is some commands of one shard that are appended together, in one unit for each account.
type batch struct {
	shard   *shard
	streams map[use]folded // all that the commands use
	units   []*unit
	byOwner map[domain.AccountID]*unit
	again   []*command // to be run in the next batch
	events  int
	bytes   int
}

// unit is what one account does in the batch. It is appended whole or not at all.
type unit struct {
	eventstore.Unit
	decided []*decided
	keys    map[string]*decided
	reads   map[string]int64 // version of each stream before the batch
	// spoilt says that a command was refused after it had changed a state, which therefore must not be used any more.
	spoilt bool
}

// decided is a command with its answer, which is true once the unit was appended.
type decided struct {
	*command
	answer answer
	events int             // of the unit, when the command was done
	repeat []*command      // others with the same key
	body   json.RawMessage // the outcome that is recorded
}

// runBatch runs the commands, answers them, and returns those that have to be run again. A panic is an answer, too:
// the shard must go on for the others.
func (s *shard) runBatch(ctx context.Context, commands []*command) (again []*command) {
	defer func() {
		if r := recover(); r != nil {
			s.streams.Purge()
			again = nil
			for _, c := range commands {
				c.reply(answer{err: fmt.Errorf("panic in a batch of commands: %v\n%s", r, debug.Stack())})
			}
		}
	}()
	b := &batch{shard: s, streams: map[use]folded{}, byOwner: map[domain.AccountID]*unit{}}
	if err := b.load(ctx, commands); err != nil {
		return s.runSingly(ctx, commands, err)
	}
	for _, c := range commands {
		b.decide(ctx, c)
	}
	b.append(ctx)
	return b.again
}

// runSingly finds out whose streams cannot be loaded.
func (s *shard) runSingly(ctx context.Context, commands []*command, err error) []*command {
	if len(commands) == 1 {
		commands[0].reply(answer{err: err})
		return nil
	}
	var again []*command
	for i := range commands {
		again = append(again, s.runBatch(ctx, commands[i:i+1])...)
	}
	return again
}

// load gets all streams that the commands use, from the cache or else from the store.
func (b *batch) load(ctx context.Context, commands []*command) error {
	var lacking []folded
	for _, c := range commands {
		for _, name := range c.streams {
			wanted := use{c.caller.Account, name}
			if b.streams[wanted] != nil {
				continue
			}
			s, cached := b.shard.streams.Get(wanted)
			if !cached {
				s = newStream(name)
				if name != c.fresh || c.tries > 0 {
					lacking = append(lacking, s)
				}
			}
			b.streams[wanted] = s
		}
	}
	return b.shard.ledger.load(ctx, b.shard.id, lacking)
}

// decide decides one command on the states that the commands before it have left.
func (b *batch) decide(ctx context.Context, c *command) {
	u := b.unitOf(c.caller.Account)
	if c.caller.Idempotency != nil {
		if first := u.keys[c.caller.Idempotency.Key]; first != nil {
			first.repeat = append(first.repeat, c)
			return
		}
	}
	if u.spoilt || b.events >= batchEvents || b.bytes >= batchBytes {
		b.again = append(b.again, c)
		return
	}
	w := &work{command: c.name}
	for _, name := range c.streams {
		s := b.streams[use{c.caller.Account, name}]
		if _, known := u.reads[name]; !known {
			u.reads[name] = s.at().Version
		}
		w.use(s)
	}
	result, err := c.decide(w)
	d := &decided{command: c, answer: answer{result: result, refusal: err}}
	if err := b.record(ctx, u, d, w); err != nil {
		u.spoilt = true
		c.reply(answer{err: err})
	}
}

// record adds a decision to its unit. An error means that the command cannot be run at all.
func (b *batch) record(ctx context.Context, u *unit, d *decided, w *work) error {
	var refusal *domain.Error
	if d.answer.refusal != nil && !errors.As(d.answer.refusal, &refusal) {
		return d.answer.refusal
	}
	if refusal != nil {
		u.spoilt = len(w.events) > 0
		w.events, w.pending = nil, nil
	}
	if err := w.encode(ctx, b.shard.ledger.codec, d.caller); err != nil {
		return err
	}
	if len(w.events) > 0 {
		d.events = len(u.Events) + len(w.events)
	}
	if key := d.caller.Idempotency; key != nil {
		body, err := json.Marshal(outcomeOf(d.answer.result, refusal))
		if err != nil {
			return fmt.Errorf("encode the outcome: %w", err)
		}
		d.body = body
		u.keys[key.Key] = d
		u.Outcomes = append(u.Outcomes, eventstore.NewOutcome{
			Key: key.Key, RequestHash: key.RequestHash, Body: body, Events: d.events,
		})
	}
	u.Events = append(u.Events, w.events...)
	b.events += len(w.events)
	for _, e := range w.events {
		b.bytes += len(e.Data) + len(e.Metadata)
	}
	u.decided = append(u.decided, d)
	return nil
}

func (b *batch) unitOf(account domain.AccountID) *unit {
	u := b.byOwner[account]
	if u == nil {
		u = &unit{keys: map[string]*decided{}, reads: map[string]int64{}}
		u.Account = account
		b.byOwner[account] = u
		b.units = append(b.units, u)
	}
	return u
}

// append records the units, answers their commands, and keeps the states that are true now.
func (b *batch) append(ctx context.Context) {
	var units []eventstore.Unit
	var appended []*unit
	for _, u := range b.units {
		if len(u.decided) == 0 {
			b.forget(u)
			continue
		}
		units = append(units, u.sealed())
		appended = append(appended, u)
	}
	if len(units) == 0 {
		return
	}
	results, err := b.shard.ledger.store.Append(ctx, b.shard.id, units)
	for i, u := range appended {
		if err != nil {
			b.forget(u)
			u.answer(answer{err: fmt.Errorf("append %d units: %w", len(units), err)})
			continue
		}
		b.finish(ctx, u, results[i])
	}
}

// sealed returns the unit with the streams that it only read.
func (u *unit) sealed() eventstore.Unit {
	written := make(map[string]bool, len(u.Events))
	for _, e := range u.Events {
		written[e.Stream] = true
	}
	for name, version := range u.reads {
		if !written[name] {
			u.Reads = append(u.Reads, eventstore.StreamVersion{Stream: name, Version: version})
		}
	}
	return u.Unit
}

// finish answers the commands of a unit, or has them run again on newer states.
func (b *batch) finish(ctx context.Context, u *unit, r eventstore.Result) {
	if r.Status == eventstore.StatusAppended {
		u.appended(b.shard.id, r.First)
		if u.spoilt {
			b.forget(u)
			return
		}
		for name := range u.reads {
			used := use{u.Account, name}
			b.shard.streams.Add(used, b.streams[used])
			b.shard.ledger.keep(ctx, b.shard.id, b.streams[used])
		}
		return
	}
	b.forget(u)
	for _, d := range u.decided {
		for _, c := range append([]*command{d.command}, d.repeat...) {
			b.retry(ctx, c, r.Status)
		}
	}
}

func (b *batch) forget(u *unit) {
	for name := range u.reads {
		b.shard.streams.Remove(use{u.Account, name})
	}
}

// appended answers all commands of a unit that was recorded.
func (u *unit) appended(shard int, first int64) {
	for _, d := range u.decided {
		if d.events > 0 {
			d.answer.position = eventstore.Position{Shard: shard, Pos: first + int64(d.events) - 1}
		}
		d.command.reply(d.answer)
		for _, c := range d.repeat {
			c.reply(answer{recorded: &eventstore.Outcome{
				Key: d.caller.Idempotency.Key, RequestHash: d.caller.Idempotency.RequestHash, Body: d.body,
				Position: d.answer.position,
			}})
		}
	}
}

func (u *unit) answer(a answer) {
	for _, d := range u.decided {
		d.command.reply(a)
		for _, c := range d.repeat {
			c.reply(a)
		}
	}
}

// retry answers from what is recorded under the command's key, or has it run again.
func (b *batch) retry(ctx context.Context, c *command, status eventstore.Status) {
	if key := c.caller.Idempotency; key != nil && status == eventstore.StatusDuplicate {
		recorded, ok, err := b.shard.ledger.store.Outcome(ctx, c.caller.Account, key.Key)
		if err != nil {
			c.reply(answer{err: fmt.Errorf("read the outcome of a key: %w", err)})
			return
		}
		if ok {
			c.reply(answer{recorded: &recorded})
			return
		}
	}
	if c.tries++; c.tries >= triesMax {
		c.reply(answer{err: domain.Errorf(domain.CodeStaleVersion, "the account is very busy, nothing was done")})
		return
	}
	b.again = append(b.again, c)
}
