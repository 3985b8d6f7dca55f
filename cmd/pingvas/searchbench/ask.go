package searchbench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/pingvas/pingvas/projections/search"
)

// pageSize is that of the gallery.
const pageSize = 50

// Asked is how long questions of one kind took. Times are in milliseconds.
type Asked struct {
	Kind  string  `json:"kind"`
	Count int     `json:"count"`
	Total int64   `json:"images_found"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// questions are what people ask, by kind.
func questions() map[string]search.Query {
	yes := true
	return map[string]search.Query{
		"all, newest":         {},
		"all, oldest":         {Sort: search.SortOldest},
		"a frequent word":     {Words: "cat"},
		"three words":         {Words: "lighthouse ocean fog"},
		"a rare word":         {Words: "name77"},
		"Korean":              {Words: "고양이"},
		"Korean, a particle":  {Words: "등대에서"},
		"Korean, a syllable":  {Words: "눈"},
		"mixed, by date":      {Words: "바다 cinematic", Sort: search.SortNewest},
		"a tag":               {Tags: []string{"겨울"}},
		"favourites of model": {Model: "flux-dev", Favourite: &yes},
		"a month":             {From: start().AddDate(0, 0, 3), To: start().AddDate(0, 0, 6)},
		"a word, facets":      {Words: "cat", Facets: true},
		"all, facets":         {Facets: true},
	}
}

// Ask asks each kind of question so often, from so many clients at once, and then the next pages of the first.
func Ask(ctx context.Context, engine search.Engine, times, clients int) ([]Asked, error) {
	var all []Asked
	kinds := questions()
	for _, kind := range slices.Sorted(keys(kinds)) {
		q := kinds[kind]
		q.Account, q.Limit = Caller(), pageSize
		one, err := ask(ctx, engine, q, times, clients)
		if err != nil {
			return nil, fmt.Errorf("ask for %s: %w", kind, err)
		}
		one.Kind = kind
		all = append(all, one)
	}
	return all, nil
}

func keys(m map[string]search.Query) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

func ask(ctx context.Context, engine search.Engine, q search.Query, times, clients int) (Asked, error) {
	took := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var total int64
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			q := q
			for range times / clients {
				at := time.Now()
				result, err := engine.Search(ctx, q)
				if err != nil {
					errs[c] = err
					return
				}
				took[c] = append(took[c], time.Since(at))
				if q.After = result.Next; c == 0 { // people leaf
					total = result.Total
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return Asked{}, err
		}
	}
	a := summary(slices.Concat(took...))
	a.Total = total
	return a, nil
}

func summary(took []time.Duration) Asked {
	slices.Sort(took)
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Microseconds()) / 1000
	}
	return Asked{Count: len(took), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// Print writes a table.
func Print(out io.Writer, all []Asked) {
	fmt.Fprintf(out, "%-22s %8s %8s %8s %8s %8s\n", "question", "asked", "found", "p50 ms", "p99 ms", "max ms")
	for _, a := range all {
		fmt.Fprintf(out, "%-22s %8d %8d %8.1f %8.1f %8.1f\n", a.Kind, a.Count, a.Total, a.P50, a.P99, a.Max)
	}
}
