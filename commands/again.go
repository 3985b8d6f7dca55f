package commands

import "sync"

// again is a line of commands that are tried again on states which are there. They go first, in their order: each waits
// for its turn, gives it on as soon as it has joined the next batch, and that batch waits for all of them.
type again struct {
	commands []*command
	rejoined sync.WaitGroup
}

// lineUp lines up the commands of a batch that are tried again, but for those that have to read something before.
func lineUp(b *batch) *again {
	l := &again{}
	for _, u := range b.units {
		for _, c := range u.commands {
			if c.again && !c.duplicate && c.ready() {
				c.turn, c.line, c.next = make(chan struct{}), l, len(l.commands)+1
				l.commands = append(l.commands, c)
			}
		}
	}
	l.rejoined.Add(len(l.commands))
	l.call(0)
	return l
}

func (l *again) call(i int) {
	if i < len(l.commands) {
		close(l.commands[i].turn)
	}
}

// ready reports whether the states that the command needs are there.
func (c *command) ready() bool {
	for _, e := range c.held {
		if e.dead {
			return false
		}
	}
	return true
}

// waitTurn waits until the command may be tried again.
func (c *command) waitTurn() {
	if c.line != nil {
		<-c.turn
	}
}

// giveOn has the next command of the line begin.
func (c *command) giveOn() {
	if l := c.line; l != nil {
		c.line = nil
		l.call(c.next)
		l.rejoined.Done()
	}
}
