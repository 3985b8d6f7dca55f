package ledgerbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Result is what one target did in all rounds of a workload.
type Result struct {
	Workload
	Target string    `json:"target"`
	Pairs  []float64 `json:"pairs_per_second"` // of each round
	Ratios []float64 `json:"ratios"`           // to the baseline's round beside it
	Cost   Cost      `json:"cost_per_command"`

	spent Spent
	pairs int64
	grown int64 // bytes of the target's tables and indexes
}

// Comparison runs workloads on targets. The first target is the baseline.
type Comparison struct {
	Targets []Target
	Rounds  int
	Meter   *Meter
	// Progress gets a line for each round. Nil is silent.
	Progress io.Writer
}

// warmUpMax bounds the round of each target that does not count.
const warmUpMax = time.Second

// Run runs rounds of the workload on the targets in turn. Targets are prepared already.
func (c Comparison) Run(ctx context.Context, w Workload) (results []Result, err error) {
	clients := make([]crew, len(c.Targets))
	for i, t := range c.Targets {
		if clients[i], err = crewOf(ctx, t, w.Clients); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, clients[i].close()) }()
		warm := w
		warm.Round = min(w.Round, warmUpMax)
		if _, _, err := warm.run(ctx, clients[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name(), err)
		}
		results = append(results, Result{Workload: w, Target: t.Name()})
	}
	for round := range c.Rounds {
		for i, t := range c.Targets {
			if err := c.round(ctx, &results[i], t, clients[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", t.Name(), err)
			}
			results[i].Ratios = append(results[i].Ratios, results[i].Pairs[round]/results[0].Pairs[round])
			c.tell("%s, %d clients, round %d: %s %.0f pairs/s", w.Spread, w.Clients, round+1, t.Name(),
				results[i].Pairs[round])
		}
	}
	for i := range results {
		results[i].Cost = results[i].spent.per(results[i].pairs*commandsPerPair, results[i].grown)
	}
	return results, nil
}

func (c Comparison) round(ctx context.Context, r *Result, t Target, clients crew) error {
	size, err := c.Meter.size(ctx, t.Schema())
	if err != nil {
		return err
	}
	before, err := c.Meter.read(ctx)
	if err != nil {
		return err
	}
	pairs, took, err := r.run(ctx, clients)
	if err != nil {
		return err
	}
	after, err := c.Meter.read(ctx)
	if err != nil {
		return err
	}
	grown, err := c.Meter.size(ctx, t.Schema())
	if err != nil {
		return err
	}
	r.spent.add(before, after)
	r.pairs += pairs
	r.grown += grown - size
	r.Pairs = append(r.Pairs, float64(pairs)/took.Seconds())
	return nil
}

func (c Comparison) tell(format string, args ...any) {
	if c.Progress != nil {
		fmt.Fprintf(c.Progress, format+"\n", args...)
	}
}

// Median returns the middle of some figures, the upper one of two.
func Median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	return sorted[len(sorted)/2]
}

// Print writes a line for each target: the median round with the slowest and the fastest, the ratio to the baseline
// likewise, and the cost of a command.
func Print(out io.Writer, results []Result) {
	for _, r := range results {
		fmt.Fprintf(out, "%-8s %4d clients  %-9s %8.0f pairs/s (%.0f–%.0f)  %6.2f × %s (%.2f–%.2f)  %s\n",
			r.Spread, r.Clients, r.Target, Median(r.Pairs), slices.Min(r.Pairs), slices.Max(r.Pairs),
			Median(r.Ratios), results[0].Target, slices.Min(r.Ratios), slices.Max(r.Ratios), r.Cost)
	}
	for _, r := range results[1:] {
		base := results[0].Cost
		if base.WALBytes > 0 && base.TableBytes > 0 {
			fmt.Fprintf(out, "%-8s %4d clients  %-9s writes %.2f × the WAL and %.2f × the tables of %s, %.2f × in all\n",
				r.Spread, r.Clients, r.Target, r.Cost.WALBytes/base.WALBytes, r.Cost.TableBytes/base.TableBytes,
				results[0].Target, (r.Cost.WALBytes+r.Cost.TableBytes)/(base.WALBytes+base.TableBytes))
		}
	}
}
