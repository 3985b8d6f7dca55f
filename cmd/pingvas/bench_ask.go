package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/queries"
)

// questionResult is how fast one kind of question was answered. Times are in milliseconds.
type questionResult struct {
	Question string  `json:"question"`
	Clients  int     `json:"clients"`
	Answers  int     `json:"answers"`
	Rate     float64 `json:"answers_per_second"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
}

// galleryClients ask for pages of the gallery.
const galleryClients = 8

// question asks once.
type question func(ctx context.Context) error

// ask measures questions through queries, in this process.
func (c *benchViewsCmd) ask(ctx context.Context, b *bench) ([]questionResult, error) {
	q, err := b.newQueries(nil, nil)
	if err != nil {
		return nil, err
	}
	own := queries.Read{Account: ledgerbench.AccountID(0)}
	favourite := false
	page := func(filter queries.ImagesQuery) func() question {
		return func() question {
			next := ""
			return func(ctx context.Context) error {
				filter.Cursor = next
				found, _, err := q.Images(ctx, own, filter)
				if err == nil && len(found.Images) == 0 {
					err = errors.New("a page without images measures nothing")
				}
				next = found.Next
				return err
			}
		}
	}
	balance := func() question {
		return func(ctx context.Context) error {
			r := queries.Read{Account: ledgerbench.AccountID(rand.IntN(c.Accounts))}
			_, _, err := q.Balance(ctx, r, time.Time{})
			return err
		}
	}
	var all []questionResult
	for _, kind := range []struct {
		name, view string
		clients    int
		ask        func() question
	}{
		{"balance", "balance", c.Clients, balance},
		{"gallery page", "gallery", galleryClients, page(queries.ImagesQuery{})},
		{"gallery page by tag", "gallery", galleryClients, page(byMark(image.Filter{Tags: []string{"tag 7"}}))},
		{"gallery page by favourite", "gallery", galleryClients, page(byMark(image.Filter{Favourite: &favourite}))},
	} {
		if !slices.Contains(c.Rebuild, kind.view) {
			continue
		}
		found, err := askAll(ctx, kind.clients, c.Round, kind.ask)
		if err != nil {
			return nil, fmt.Errorf("ask for %s: %w", kind.name, err)
		}
		found.Question = kind.name
		fmt.Fprintf(b.out, "%-26s %d clients: %.0f/s, p50 %.2f ms, p99 %.2f ms\n", found.Question, found.Clients,
			found.Rate, found.P50, found.P99)
		all = append(all, found)
	}
	return all, nil
}

// askAll lets clients ask one question after the other.
func askAll(ctx context.Context, clients int, round time.Duration, ask func() question) (questionResult, error) {
	took, errs := make([][]time.Duration, clients), make([]error, clients)
	start := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			next := ask()
			for time.Since(start) < round && errs[i] == nil {
				asked := time.Now()
				errs[i] = next(ctx)
				took[i] = append(took[i], time.Since(asked))
			}
		})
	}
	all.Wait()
	elapsed := time.Since(start).Seconds()
	every := slices.Concat(took...)
	slices.Sort(every)
	at := func(share float64) float64 {
		return float64(every[min(len(every)-1, int(share*float64(len(every))))]) / float64(time.Millisecond)
	}
	for _, err := range errs {
		if err != nil {
			return questionResult{}, err
		}
	}
	return questionResult{
		Clients: clients, Answers: len(every), Rate: float64(len(every)) / elapsed, P50: at(.5), P99: at(.99),
	}, nil
}

func byMark(f image.Filter) queries.ImagesQuery {
	return queries.ImagesQuery{ImageFilter: queries.ImageFilter{Filter: f}}
}
