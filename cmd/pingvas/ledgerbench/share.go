package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// CountingStore counts what becomes of the units that are appended.
type CountingStore struct {
	eventstore.Store
	appended, conflicts atomic.Int64
}

// Append implements eventstore.Store.
func (s *CountingStore) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	out, err := s.Store.Append(ctx, batches)
	for _, b := range out {
		for _, r := range b.Results {
			if r.Status == eventstore.StatusConflict {
				s.conflicts.Add(1)
			} else {
				s.appended.Add(1)
			}
		}
	}
	return out, err
}

// Process is a ledger with connections and caches of its own, as another process has it.
type Process struct {
	Ledger *commands.Ledger
	Store  *CountingStore
}

// Share is what two processes did that shared the clients, beside what one did alone.
type Share struct {
	Workload
	Alone    float64 `json:"alone_pairs_per_second"`
	Together float64 `json:"together_pairs_per_second"`
	// Shares are the parts of the pairs that each process did, in percent.
	Shares [2]float64 `json:"shares_percent"`
	// Conflicts are units of 100 appended ones that had to be decided again, GivenUp the commands that a caller had to
	// send again.
	Conflicts float64 `json:"conflicts_percent"`
	GivenUp   int64   `json:"given_up"`
}

// patient sends a command again that was given up because of too many conflicts.
type patient struct {
	Client
	again *atomic.Int64
}

// Reserve implements Client.
func (p patient) Reserve(ctx context.Context, account int, id string) (hold string, err error) {
	err = p.insist(func() error {
		hold, err = p.Client.Reserve(ctx, account, id)
		return err
	})
	return hold, err
}

// End implements Client.
func (p patient) End(ctx context.Context, account int, hold string, ending Ending) error {
	return p.insist(func() error { return p.Client.End(ctx, account, hold, ending) })
}

// insistMax bounds how often a command is sent again.
const insistMax = 1000

func (p patient) insist(send func() error) error {
	for range insistMax {
		err := send()
		if domain.CodeOf(err) != domain.CodeStaleVersion {
			return err
		}
		p.again.Add(1)
	}
	return errors.New("a command was given up too often")
}

// ShareWork runs the workload with the first process alone, then with both of them at once.
func (w Workload) ShareWork(ctx context.Context, processes [2]Process) (Share, error) {
	out := Share{Workload: w}
	var again atomic.Int64
	clients := func(p Process, n int) crowd {
		list := make(crowd, n)
		for i := range list {
			list[i] = patient{Ours{Ledger: p.Ledger}, &again}
		}
		return list
	}
	pairs, took, err := w.run(ctx, clients(processes[0], w.Clients))
	if err != nil {
		return out, err
	}
	out.Alone = float64(pairs) / took.Seconds()

	again.Store(0)
	appended, conflicts := counts(processes)
	var done [2]int64
	var errs [2]error
	var both sync.WaitGroup
	start := time.Now()
	for i, p := range processes {
		both.Go(func() { done[i], _, errs[i] = w.run(ctx, clients(p, w.Clients/2)) })
	}
	both.Wait()
	seconds := time.Since(start).Seconds()
	if err := errors.Join(errs[:]...); err != nil {
		return out, err
	}
	all := float64(max(1, done[0]+done[1]))
	out.Together, out.Shares = all/seconds, [2]float64{100 * float64(done[0]) / all, 100 * float64(done[1]) / all}
	appendedNow, conflictsNow := counts(processes)
	out.Conflicts = 100 * float64(conflictsNow-conflicts) / float64(max(1, appendedNow-appended))
	out.GivenUp = again.Load()
	return out, nil
}

func counts(processes [2]Process) (appended, conflicts int64) {
	for _, p := range processes {
		appended += p.Store.appended.Load()
		conflicts += p.Store.conflicts.Load()
	}
	return appended, conflicts
}

// Print writes one line.
func (s Share) Print(out io.Writer) {
	fmt.Fprintf(out, "%-8s %4d clients  alone %.0f pairs/s, two processes %.0f pairs/s (%.2f ×), "+
		"shares %.1f %% and %.1f %%, %.1f conflicts per 100 units, %d given up\n", s.Spread, s.Clients, s.Alone,
		s.Together, s.Together/s.Alone, s.Shares[0], s.Shares[1], s.Conflicts, s.GivenUp)
}
