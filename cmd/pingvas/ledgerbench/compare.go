package ledgerbench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// Result is what one target did in all rounds of a workload.
type Result struct {
	Target string
	Pairs  []float64 // per second, of each round
}

// Median returns the median round.
func (r Result) Median() float64 {
	sorted := slices.Sorted(slices.Values(r.Pairs))
	return sorted[len(sorted)/2]
}

// Compare runs rounds of the workload on the targets in turn. The first target is the baseline. Targets are prepared
// already.
func Compare(ctx context.Context, w Workload, rounds int, targets []Target) ([]Result, error) {
	results := make([]Result, len(targets))
	for i, t := range targets {
		results[i].Target = t.Name()
		warm := w
		warm.Round = min(w.Round, time.Second)
		if _, err := warm.run(ctx, t); err != nil {
			return nil, err
		}
	}
	for range rounds {
		for i, t := range targets {
			pairs, err := w.run(ctx, t)
			if err != nil {
				return nil, err
			}
			results[i].Pairs = append(results[i].Pairs, pairs)
		}
	}
	return results, nil
}

// Print writes one line for each target, with its ratio to the first.
func Print(out io.Writer, w Workload, results []Result) {
	for _, r := range results {
		fmt.Fprintf(out, "%-8s %4d clients  %-10s %9.0f pairs/s  %6.2f × %s\n",
			w.Spread, w.Clients, r.Target, r.Median(), r.Median()/results[0].Median(), results[0].Target)
	}
}
