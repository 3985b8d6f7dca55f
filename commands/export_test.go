package commands

// Waiting returns how many commands wait to be appended, besides those that are being appended.
func (l *Ledger) Waiting() int {
	n := 0
	for _, a := range l.appenders {
		a.mu.Lock()
		n += a.open.commands + a.queued
		a.mu.Unlock()
	}
	return n
}
