package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// command is a use case on its way.
type command struct {
	decision // the call that the command is part of
	caller   Caller
	name     string
	streams  []string
	fresh    string // the stream of these that has no events yet, unless an id was drawn twice
	told     bool   // the events of a command that is not refused tell its outcome

	shardID   int
	tries     int
	duplicate bool // its key, or one beside it, was recorded before
	looked    bool // its key was looked up
	crowded   bool // its unit was too large: next time each of them is encoded before the next one joins

	// What follows is of one try. The appender's lock guards it until the batch takes no more commands.
	batch *batch
	work
	keyed    *keyed // under its key, if it has one
	refused  *domain.Error
	snapshot *snapshot
	body     json.RawMessage // the outcome that is recorded under the key, or nil if the events tell it
	broken   error           // why there are no bytes
	answer   answer          // true once the batch is done
	again    bool            // what it was decided on was not appended

	left bool // its caller has given up while it waited for others
	// What is set while the command waits to be tried again, see again.
	turn chan struct{}
	line *again
	next int
}

// decision is what a command decides, however often.
type decision interface {
	decide(*work) error
	// resultOf returns the result of the last time.
	resultOf() any
}

// snapshot is an account as a command has left it.
type snapshot struct {
	shard int
	at    eventstore.StreamVersion
	state account.Snapshot
}

// decideOn decides the command and keeps what follows from it. It returns false if the streams now hold what will not
// be appended. Errors other than the domain's refusals are the answer.
func (c *command) decideOn(held []*entry) (clean bool) {
	c.work = work{command: c.name, held: held}
	for _, e := range held {
		c.work.use(e.state)
	}
	c.again, c.refused, c.broken, c.snapshot = false, nil, nil, nil
	c.answer = answer{refusal: c.safely()}
	if err := c.answer.refusal; err != nil {
		if !errors.As(err, &c.refused) {
			c.answer = answer{err: err}
		}
		clean = len(c.events) == 0 && c.answer.err == nil
		c.events, c.pending = nil, nil
		return clean
	}
	c.snapshot = c.work.snapshot(c.shardID)
	return true
}

// safely makes a panic an answer: the others must go on.
func (c *command) safely() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return c.decide(&c.work)
}

// encode completes the events and the outcome with their bytes.
func (c *command) encode(ctx context.Context, codec *eventstore.Codec) {
	defer func() {
		if r := recover(); r != nil {
			c.broken = panicked(r)
		}
	}()
	if c.answer.err != nil {
		return
	}
	if c.broken = c.encodeAll(ctx, codec); c.broken == nil {
		c.batch.bytes.Add(int64(c.size()))
	}
}

func (c *command) encodeAll(ctx context.Context, codec *eventstore.Codec) error {
	if err := c.encodeEvents(ctx, codec); err != nil {
		return err
	}
	if err := c.encodeOutcome(); err != nil {
		return err
	}
	return c.fits()
}

// commandBytesMax is what one command may add to an append that has room.
const commandBytesMax = eventstore.AppendBytesMax - batchBytes

// fits returns CodeInvalid for a command that no append could take, before it spoils that of others.
func (c *command) fits() error {
	largest := len(c.body)
	for _, e := range c.events {
		largest = max(largest, len(e.Data)+len(e.Metadata))
	}
	if largest > eventstore.EventBytesMax || c.size() > commandBytesMax {
		return domain.Errorf(domain.CodeInvalid, "the command has %d bytes, %d of them in one piece, which is too large",
			c.size(), largest)
	}
	return nil
}

func (c *command) encodeEvents(ctx context.Context, codec *eventstore.Codec) error {
	meta := eventstore.Metadata{
		Account: c.caller.Account, Command: c.name, Actor: c.caller.Actor, Correlation: c.caller.Correlation,
	}
	var metadata []byte
	for i, e := range c.pending {
		data, err := codec.Encode(ctx, c.caller.Account, e)
		if err != nil {
			return fmt.Errorf("encode %s: %w", c.events[i].Type, err)
		}
		if i == 0 || c.events[i].Stream != c.events[i-1].Stream {
			metadata = meta.For(c.events[i].Stream).JSON()
		}
		c.events[i].Data, c.events[i].Metadata = data, metadata
	}
	return nil
}

// encodeOutcome writes down what the events do not tell.
func (c *command) encodeOutcome() (err error) {
	c.body = nil
	if c.caller.Idempotency == nil || c.told && c.refused == nil && len(c.events) > 0 {
		return nil
	}
	if c.body, err = json.Marshal(outcomeOf(c.resultOf(), c.refused)); err != nil {
		return fmt.Errorf("encode the outcome: %w", err)
	}
	return nil
}

// size returns the bytes that the command adds to an append.
func (c *command) size() int {
	n := len(c.body)
	for _, e := range c.events {
		n += len(e.Data) + len(e.Metadata)
	}
	return n
}

// key returns what the command is found by while it is on its way, and false if its caller gave no key.
func (c *command) key() (eventstore.OutcomeKey, bool) {
	if c.caller.Idempotency == nil {
		return eventstore.OutcomeKey{}, false
	}
	return eventstore.OutcomeKey{Account: c.caller.Account, Key: c.caller.Idempotency.Key}, true
}

// recorded returns what was recorded under the command's key.
func (c *command) recorded() recorded {
	return recorded{
		request: c.caller.Idempotency.RequestHash, position: c.answer.position, body: c.body, events: c.pending,
	}
}
