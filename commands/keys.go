package commands

import "github.com/pingvas/pingvas/eventstore"

// keys finds commands by their idempotency keys: those on their way, and the last recentMax that were recorded. The
// appender's lock guards it.
type keys struct {
	all    map[eventstore.OutcomeKey]*keyed
	recent []*keyed // recorded ones, in a ring
	oldest int      // where the ring begins once it is full
}

// keyed is what is known of a key.
type keyed struct {
	key     eventstore.OutcomeKey
	command *command // nil once it is recorded
	recorded
}

func newKeys() *keys { return &keys{all: map[eventstore.OutcomeKey]*keyed{}} }

// find returns what is known of a key, or nil.
func (k *keys) find(key eventstore.OutcomeKey) *keyed { return k.all[key] }

// begin notes that a command is on its way. Nothing is known of its key yet.
func (k *keys) begin(key eventstore.OutcomeKey, c *command) {
	c.keyed = &keyed{key: key, command: c}
	k.all[key] = c.keyed
}

// keep keeps what was recorded of a command, instead of the oldest that is kept.
func (k *keys) keep(c *command) {
	c.keyed.command, c.keyed.recorded = nil, c.recorded()
	if len(k.recent) < recentMax {
		k.recent = append(k.recent, c.keyed)
		return
	}
	delete(k.all, k.recent[k.oldest].key)
	k.recent[k.oldest] = c.keyed
	k.oldest = (k.oldest + 1) % recentMax
}

// end forgets a command, unless it is kept.
func (k *keys) end(c *command) {
	if c.keyed != nil && c.keyed.command != nil {
		delete(k.all, c.keyed.key)
	}
	c.keyed = nil
}
