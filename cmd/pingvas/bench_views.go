package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// benchViewsCmd is `pingvas bench views`.
type benchViewsCmd struct {
	Images   int           `default:"1000000" help:"Images of the ledger; four of them are five events."`
	Own      int           `default:"50000" help:"Images of the account that asks."`
	Accounts int           `default:"1000" help:"Number of accounts."`
	Rebuild  []string      `default:"balance,statement,gallery" help:"Views that are rebuilt."`
	Traffic  int           `default:"500" help:"Commands per second while a view is rebuilt under traffic; 0 leaves it out."`
	Rate     int           `default:"1000" help:"Commands per second of the measurement of visibility; 0 leaves it out."`
	Pace     time.Duration `default:"10s" help:"Length of the measurement of visibility."`
	Clients  int           `default:"64" help:"Clients that ask for balances."`
	Round    time.Duration `default:"5s" help:"Length of the rounds of questions."`
	Parallel int           `default:"4" help:"Shards that are rebuilt at once."`
	benchOutput
}

// Run implements the command.
func (c *benchViewsCmd) Run(ctx context.Context, log *slog.Logger) error {
	return c.run(ctx, log, "bench views", c.measure)
}

// benchViewsResults are all parts of the measurement.
type benchViewsResults struct {
	Rebuilds     []rebuiltView        `json:"rebuilds"`
	UnderTraffic *trafficResult       `json:"under_traffic,omitempty"`
	Visible      *ledgerbench.Latency `json:"visible,omitempty"`
	Questions    []questionResult     `json:"questions"`
}

func (c *benchViewsCmd) measure(ctx context.Context, b *bench) (any, error) {
	write := ledgerbench.Pictures{
		Store: b.store, Snapshots: b.store, Codec: b.codec, Images: c.Images, Own: c.Own, Accounts: c.Accounts,
		Progress: b.notes,
	}
	if err := write.Write(ctx); err != nil {
		return nil, err
	}
	if err := b.analyze(ctx); err != nil {
		return nil, err
	}
	var results benchViewsResults
	for _, name := range c.Rebuild {
		built, err := c.rebuild(ctx, b, name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(b.out, "rebuild of %-10s %d events in %.1f s: %.0f events/s\n", name, built.Events, built.Seconds,
			float64(built.Events)/built.Seconds)
		results.Rebuilds = append(results.Rebuilds, built)
	}
	if err := c.live(ctx, b, &results); err != nil {
		return nil, err
	}
	if err := b.analyze(ctx); err != nil {
		return nil, err
	}
	var err error
	results.Questions, err = c.ask(ctx, b)
	return results, err
}

// analyze does what autovacuum would have done by the time a ledger is as long as this.
func (b *bench) analyze(ctx context.Context) error {
	if _, err := b.pool.Exec(ctx, `VACUUM (ANALYZE)`); err != nil {
		return fmt.Errorf("analyze the tables: %w", err)
	}
	return nil
}

func (c *benchViewsCmd) rebuild(ctx context.Context, b *bench, name string) (rebuiltView, error) {
	view, strict, err := namedView(name)
	if err != nil {
		return rebuiltView{}, err
	}
	return rebuild(ctx, projections.Config{
		Ledger: b.store, Decoder: b.codec, Pool: b.views, Projection: view, Strict: strict, Log: b.log,
		Parallel: c.Parallel,
	})
}

// trafficResult is a rebuild while commands came in.
type trafficResult struct {
	rebuiltView
	Rate    int     `json:"commands_per_second"`
	Reads   int64   `json:"reads"`
	SlowMS  float64 `json:"slowest_read_ms"`
	Backs   int64   `json:"positions_that_went_back"`
	Unequal int     `json:"shards_unlike_their_replay"`
}

// underTraffic rebuilds balance while commands are recorded, and reads it all the time.
func (c *benchViewsCmd) underTraffic(ctx context.Context, b *bench) (*trafficResult, error) {
	result := &trafficResult{Rate: c.Traffic}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var slowest atomic.Int64
	all.Go(func() {
		w := ledgerbench.Workload{Clients: 16, Accounts: c.Accounts, Spread: ledgerbench.Uniform, Round: time.Hour}
		_, _ = w.Pace(ctx, ledgerbench.Ours{Ledger: b.parts.ledger}, c.Traffic) // ends with ctx
	})
	all.Go(func() { b.watch(ctx, result, &slowest) })
	built, err := c.rebuild(ctx, b, "balance")
	cancel()
	all.Wait()
	result.rebuiltView, result.SlowMS = built, float64(slowest.Load())/float64(time.Millisecond)
	return result, err
}

// watch reads how far the view is, as readers see it, and counts what no reader may see.
func (b *bench) watch(ctx context.Context, result *trafficResult, slowest *atomic.Int64) {
	progress := []projections.Progress{projections.ProgressOf(rowViews()[0], nil)}
	last := make([]int64, b.store.Shards())
	for shard := 0; ctx.Err() == nil; shard = (shard + 1) % len(last) {
		start := time.Now()
		asking := projections.Asking{Account: ledgerbench.AccountID(0), Shard: shard, Of: progress}
		err := projections.ReadAccount(ctx, b.views, asking, func(s projections.Snapshot) error {
			if s.Positions[0] < last[shard] {
				result.Backs++
			}
			last[shard] = s.Positions[0]
			return nil
		})
		if err != nil && ctx.Err() == nil {
			result.Backs++ // an answer that was none
		}
		result.Reads++
		slowest.Store(max(slowest.Load(), int64(time.Since(start))))
	}
}

// compareReplay counts the shards of balance that are not what the ledger says.
func (b *bench) compareReplay(ctx context.Context) (unequal int, err error) {
	v := projections.Verifier{Ledger: b.store, Decoder: b.codec, Pool: b.views, Projection: rowViews()[0]}
	shards, err := v.Verify(ctx)
	for _, s := range shards {
		if !s.Equal() {
			unequal++
		}
	}
	return unequal, err
}

// caughtUp waits until the views are at the end of the ledger.
func (b *bench) caughtUp(ctx context.Context, heads []eventstore.Head, views []projections.Projection) error {
	for _, view := range views {
		for shard, head := range heads {
			at := eventstore.Position{Shard: shard, Pos: head.Pos}
			ok, err := projections.ProgressOf(view, nil).WaitFor(ctx, b.views, at, catchUpMax)
			if err == nil && !ok {
				err = fmt.Errorf("the view %s does not come to %s", view.Name(), at)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// only returns the views of these names.
func only(names []string) (views []projections.Projection) {
	for _, view := range rowViews() {
		if slices.Contains(names, view.Name()) {
			views = append(views, view)
		}
	}
	return views
}
