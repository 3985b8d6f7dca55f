package invokeai

import (
	"context"
	"fmt"
	"sync"

	"github.com/pingvas/pingvas/workers/generate"
)

// Recycle says when the server should be restarted: its memory grows with every change of models. Zero means never.
type Recycle struct {
	// Jobs is after how many jobs.
	Jobs int
	// ResidentBytes is above which memory of the server's process; it is known where the worker sees that process.
	ResidentBytes int64
}

// ranOutMax is how many jobs in a row may run out of memory before a restart is asked for: after the first the cache of
// models is emptied, which usually does.
const ranOutMax = 2

// care is whether the server may get jobs, and whether it should be restarted.
type care struct {
	rule Recycle

	mu      sync.Mutex
	jobs    int
	outs    int           // jobs in a row that ran out of memory
	reason  string        // why a restart is wanted; empty if it is not
	warming chan struct{} // closed when the server is warm; nil if nobody warms it
}

func newCare(rule Recycle) *care { return &care{rule: rule} }

// await waits until the server is warm.
func (c *care) await(ctx context.Context) error {
	c.mu.Lock()
	warming, reason := c.warming, c.reason
	c.mu.Unlock()
	if reason != "" {
		return fmt.Errorf("%w: the server is to be restarted, %s", generate.ErrStarting, reason)
	}
	if warming == nil {
		return nil
	}
	select {
	case <-warming:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: the models are loaded", generate.ErrStarting)
	}
}

// cold says that the server is not warm, as before the first job and after a restart.
func (c *care) cold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.warming == nil {
		c.warming = make(chan struct{})
	}
	c.jobs, c.outs, c.reason = 0, 0, ""
}

// warm lets jobs come.
func (c *care) warm() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.warming)
	c.warming = nil
}

// done counts a job that went well.
func (c *care) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs++
	c.outs = 0
	if c.rule.Jobs > 0 && c.jobs >= c.rule.Jobs {
		c.want(fmt.Sprintf("it has done %d jobs", c.jobs))
	}
}

// ranOut counts a job that ran out of memory.
func (c *care) ranOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outs++; c.outs >= ranOutMax {
		c.want("it has run out of memory again")
	}
}

// resident takes note of the memory of the server's process.
func (c *care) resident(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rule.ResidentBytes > 0 && bytes > c.rule.ResidentBytes {
		c.want(fmt.Sprintf("it holds %d MiB", bytes>>20))
	}
}

// want needs the lock.
func (c *care) want(reason string) {
	if c.reason == "" {
		c.reason = reason
	}
}

// wanted returns why a restart is wanted, or an empty text.
func (c *care) wanted() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}
