package searchbench

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// writers is how many batches are written at once.
const writers = 4

// batch is how many documents are written at once, all of accounts of one shard, as a page of a shard's events is.
const batch = 1000

// Fill says what to put into an engine.
type Fill struct {
	Engine search.Engine
	// Images is how many there are in all, and Mine how many of them are the caller's.
	Images, Mine int64
	// Shard returns the shard of an account, and Shards how many there are.
	Shards int
	Shard  func(domain.AccountID) int
	// Progress gets a line now and then. Nil is silent.
	Progress io.Writer
}

// Built is how fast an index was built. Times are in seconds.
type Built struct {
	Images  int64   `json:"images"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"images_per_second"`
}

// Caller is whose images are asked for.
func Caller() domain.AccountID { return accountID(0) }

func built(images int64, took time.Duration) Built {
	return Built{Images: images, Seconds: took.Seconds(), Rate: float64(images) / took.Seconds()}
}

// Run builds an index and lets it answer. Images of all owners come in turn, as they are made.
func (f Fill) Run(ctx context.Context) (Built, error) {
	begin := time.Now()
	if err := f.Engine.Clear(ctx); err != nil {
		return Built{}, err
	}
	if err := f.index(ctx); err != nil {
		return Built{}, err
	}
	id, err := f.Engine.ID(ctx)
	if err != nil {
		return Built{}, err
	}
	if err := f.Engine.Swap(ctx, id); err != nil {
		return Built{}, err
	}
	return built(f.Images, time.Since(begin)), nil
}

// index writes from several shards at once, as a runner does.
func (f Fill) index(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	g := newGenerator(1)
	open := make([][]search.Document, f.Shards)
	for n := range f.Images {
		owner := accountID(1 + g.rand.IntN(ownersMin))
		if g.rand.Int64N(f.Images) < f.Mine {
			owner = Caller()
		}
		shard := f.Shard(owner)
		open[shard] = append(open[shard], g.document(owner, n))
		if len(open[shard]) < batch {
			continue
		}
		docs := open[shard]
		open[shard] = nil
		group.Go(func() error { return f.Engine.Index(ctx, docs) })
		if f.Progress != nil && n/(f.Images/10+1) > (n-batch)/(f.Images/10+1) {
			fmt.Fprintf(f.Progress, "%d of %d images indexed\n", n, f.Images)
		}
	}
	for _, rest := range open {
		group.Go(func() error { return f.Engine.Index(ctx, rest) })
	}
	return group.Wait()
}
