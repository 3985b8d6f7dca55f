package commands

// again is a line of commands that go on in their order: each waits for its turn and gives it on as soon as it has
// joined a batch, or has to wait for something else. No batch is closed meanwhile.
type again struct{ commands []*command }

// lineUp lines up commands, but for those whose callers have given up. The lock is held.
func (a *appender) lineUp(commands []*command) {
	if len(commands) == 0 {
		return
	}
	l := &again{}
	for _, c := range commands {
		if !c.left {
			c.turn, c.line, c.next = make(chan struct{}), l, len(l.commands)+1
			l.commands = append(l.commands, c)
		}
	}
	a.inLine += len(l.commands)
	l.call(0)
}

// lineUpAfter lines up the commands of a batch that are tried again and those that have waited for it, but for those
// that have to read something before. The lock is held.
func (a *appender) lineUpAfter(b *batch) {
	var all []*command
	for _, u := range b.units {
		for _, c := range u.commands {
			if c.again && !c.duplicate && c.ready() {
				all = append(all, c)
			}
		}
	}
	for _, c := range b.followers {
		if !c.duplicate && a.states.has(c) {
			all = append(all, c)
		}
	}
	a.lineUp(all)
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

// giveOn has the next command of the line begin. The lock is held.
func (a *appender) giveOn(c *command) {
	if l := c.line; l != nil {
		c.line = nil
		l.call(c.next)
		if a.inLine--; a.inLine == 0 {
			a.calm.Signal()
		}
	}
}
