package ledgerbench

import (
	"sync"
	"time"

	"github.com/pingvas/pingvas/eventstore"
)

// Visible measures how long it takes from the moment at which a command is recorded until a view has committed it.
type Visible struct {
	// View is the name of the view.
	View string

	mu   sync.Mutex
	at   []int64
	wait [][]recorded
	took []time.Duration
}

type recorded struct {
	pos int64
	at  time.Time
}

// NewVisible begins with a view that is at the heads of the ledger.
func NewVisible(view string, heads []eventstore.Head) *Visible {
	v := &Visible{View: view, at: make([]int64, len(heads)), wait: make([][]recorded, len(heads))}
	for i, h := range heads {
		v.at[i] = h.Pos
	}
	return v
}

// Recorded notes a position that a command was answered with.
func (v *Visible) Recorded(p eventstore.Position) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p.Pos <= v.at[p.Shard] { // the view was faster than the answer
		v.took = append(v.took, 0)
		return
	}
	v.wait[p.Shard] = append(v.wait[p.Shard], recorded{p.Pos, time.Now()})
}

// Applied notes that a view has committed so many events more.
func (v *Visible) Applied(view string, shard, events int) {
	if view != v.View {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at[shard] += int64(events)
	left := v.wait[shard][:0]
	for _, r := range v.wait[shard] {
		if r.pos <= v.at[shard] {
			v.took = append(v.took, time.Since(r.at))
		} else {
			left = append(left, r)
		}
	}
	v.wait[shard] = left
}

// Result returns how long it took, and how many commands are not visible yet.
func (v *Visible) Result() (took Latency, waiting int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.wait {
		waiting += len(w)
	}
	return summary(v.took), waiting
}
