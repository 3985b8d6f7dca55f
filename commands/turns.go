package commands

import "time"

// A call of the store costs it much whatever is in it: as much as twenty commands more. So appenders that have little
// to append do so one after the other, and what arrives meanwhile goes with the next batch.
const (
	// besideMin is how many commands a batch has that is appended beside those of other appenders.
	besideMin = 64
	// turnMax is how long an appender waits for the others, which may have to do with a slow disk.
	turnMax = 20 * time.Millisecond
)

// turns is empty while an appender appends few commands.
type turns chan struct{}

func newTurns() turns {
	t := make(turns, 1)
	t <- struct{}{}
	return t
}

// begin waits until no other appender appends few commands, or many is closed, but not long. The appender calls end
// when it has appended.
func (t turns) begin(many <-chan struct{}) (end func()) {
	select {
	case <-t: // most often, and without a timer
		return t.end
	default:
	}
	limit := time.NewTimer(turnMax)
	defer limit.Stop()
	select {
	case <-t:
		return t.end
	case <-many:
	case <-limit.C:
	}
	return func() {}
}

func (t turns) end() { t <- struct{}{} }
