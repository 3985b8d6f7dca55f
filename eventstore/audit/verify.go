package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of one verification.
const (
	pageEvents  = 2000
	findingsMax = 100 // findings kept per shard; the count goes on
)

// Config says what to verify.
type Config struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	// Parallel is how many shards are replayed at once; 0 is two for each processor, so that some read while others
	// compute.
	Parallel int
	// Progress is called after every page with the number of events replayed so far and in all. It may be nil.
	Progress func(done, total int64)
}

// Finding is something wrong, and where.
type Finding struct {
	Position eventstore.Position
	Text     string
}

// String implements fmt.Stringer.
func (f Finding) String() string { return f.Position.String() + " " + f.Text }

// Report is what a verification found.
type Report struct {
	Heads        []eventstore.Head // up to where each shard was verified
	Events       int64
	Accounts     int64
	Generations  int64
	Reservations int64
	Balance      TrialBalance
	Findings     []Finding // in order of shard and position, at most findingsMax for each shard
	Wrong        int64     // how many there were
}

// Sound reports whether nothing is wrong.
func (r Report) Sound() bool { return r.Wrong == 0 }

// Verify replays every shard up to its head at the call. An error means that the verification could not be done; what
// is wrong with the ledger stands in the report.
func Verify(ctx context.Context, c Config) (Report, error) {
	heads, err := c.Store.Heads(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read the heads: %w", err)
	}
	if c.Codec == nil {
		return Report{}, errors.New("audit: no codec")
	}
	progress := newProgress(heads, c.Progress)
	shards := make([]*shard, len(heads))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cmp.Or(c.Parallel, 2*runtime.GOMAXPROCS(0)))
	for i, head := range heads {
		shards[i] = newShard(i, head)
		group.Go(func() error { return shards[i].replay(ctx, c, progress) })
	}
	if err := group.Wait(); err != nil {
		return Report{}, err
	}
	return join(heads, shards), nil
}

func join(heads []eventstore.Head, shards []*shard) Report {
	r := Report{Heads: heads}
	for _, s := range shards {
		r.Events += s.pos
		r.Accounts += int64(len(s.books.accounts))
		r.Generations += s.books.begun
		r.Reservations += s.books.made
		r.Balance.add(s.books.balance)
		r.Findings = append(r.Findings, s.findings...)
		r.Wrong += s.wrong
	}
	if sum := r.Balance.Sum(); sum != 0 {
		r.Wrong++
		r.Findings = append(r.Findings, Finding{Text: fmt.Sprintf("the trial balance adds up to %d", sum)})
	}
	return r
}

// progress adds up the events that the shards have replayed.
type progress struct {
	mu          sync.Mutex
	done, total int64
	tell        func(done, total int64)
}

func newProgress(heads []eventstore.Head, tell func(done, total int64)) *progress {
	p := &progress{tell: tell}
	for _, h := range heads {
		p.total += h.Pos
	}
	return p
}

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(n)
	if p.tell != nil {
		p.tell(p.done, p.total)
	}
}
