package commands

// Waiting returns how many commands wait for their batch, over all shards.
func (l *Ledger) Waiting() int {
	n := 0
	for _, s := range l.shards {
		s.mu.Lock()
		n += len(s.waiting)
		s.mu.Unlock()
	}
	return n
}
