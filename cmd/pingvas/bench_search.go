package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/cmd/pingvas/searchbench"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/search"
)

// benchSearchCmd is `pingvas bench search`.
type benchSearchCmd struct {
	Images   int64         `default:"1000000" help:"Images in the index that is searched; 0 leaves that part out."`
	Mine     int64         `default:"50000" help:"How many of them are the caller's."`
	Times    int           `default:"300" help:"Questions of each kind."`
	Clients  int           `default:"1" help:"Clients that ask at once."`
	Rebuild  int64         `default:"100000" help:"Images of the ledger that the view is rebuilt from; 0 leaves that part and the next out."`
	Accounts int           `default:"1000" help:"Accounts of that ledger."`
	Seen     int           `default:"200" help:"Pictures whose way from their event into the search is measured."`
	Every    time.Duration `default:"50ms" help:"How often one is made."`
	searchSettings
	benchOutput
}

// Run implements the command.
func (c *benchSearchCmd) Run(ctx context.Context, log *slog.Logger) error {
	if err := check(c.searchSettings.errors()); err != nil {
		return err
	}
	return c.run(ctx, log, "bench search", c.measure)
}

// searchResult is what was measured.
type searchResult struct {
	Engine  string              `json:"engine"`
	Built   searchbench.Built   `json:"built"`
	Asked   []searchbench.Asked `json:"asked"`
	Rebuilt searchbench.Built   `json:"rebuilt"`
	Seen    searchbench.Asked   `json:"seen"`
}

func (c *benchSearchCmd) measure(ctx context.Context, b *bench) (any, error) {
	engine, name, closeEngine, err := c.engine(b)
	if err != nil {
		return nil, err
	}
	defer closeEngine()
	result := searchResult{Engine: name}
	if c.Images > 0 {
		fill := searchbench.Fill{
			Engine: engine, Images: c.Images, Mine: c.Mine, Shards: b.store.Shards(), Progress: b.notes,
			Shard: func(a domain.AccountID) int { return eventstore.ShardOf(a, b.store.Shards()) },
		}
		if result.Built, err = fill.Run(ctx); err != nil {
			return nil, err
		}
		fmt.Fprintf(b.out, "%s: %d images indexed, %.0f images/s\n", name, result.Built.Images, result.Built.Rate)
		if result.Asked, err = searchbench.Ask(ctx, engine, c.Times, c.Clients); err != nil {
			return nil, err
		}
		searchbench.Print(b.out, result.Asked)
	}
	if c.Rebuild > 0 {
		err = c.measureView(ctx, b, engine, &result)
	}
	return result, err
}

// engine opens the one that is measured.
func (c *benchSearchCmd) engine(b *bench) (search.Engine, string, func(), error) {
	if !c.given() {
		engine, err := bleve.Open(b.bleveConfig(filepath.Join(b.dir, "search")))
		return engine, "Bleve", func() { _ = engine.Close() }, err
	}
	cfg, err := c.config()
	if err != nil {
		return nil, "", nil, err
	}
	cfg.Log = b.log
	cfg.Prefix += fmt.Sprintf("-bench-%d", time.Now().UnixNano())
	engine, err := opensearch.Open(cfg)
	return engine, "the search server", func() {
		_ = engine.Drop(context.Background())
		engine.Close()
	}, err
}

// measureView rebuilds the view from a ledger, and then follows what is made.
func (c *benchSearchCmd) measureView(ctx context.Context, b *bench, engine search.Engine, result *searchResult) error {
	history := searchbench.History{Store: b.store, Codec: b.codec, Accounts: c.Accounts, Progress: b.notes}
	if err := history.Write(ctx, c.Rebuild); err != nil {
		return err
	}
	view := search.New(engine)
	runner, err := projections.New(projections.Config{
		Ledger: b.store, Decoder: b.codec, Pool: b.views, Projection: view, Feed: searchbench.Tail{Store: b.store},
		Log: b.log,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	if err := projections.Setup(ctx, b.views, view, b.store.Shards()); err != nil {
		return err
	}
	running := make(chan error, 1)
	go func() { running <- runner.Run(ctx) }()
	defer func() {
		cancel()
		<-running
	}()
	if err := b.swapIn(ctx, view, engine); err != nil {
		return err
	}
	took := time.Since(begin)
	result.Rebuilt = searchbench.Built{
		Images: c.Rebuild, Seconds: took.Seconds(), Rate: float64(c.Rebuild) / took.Seconds(),
	}
	fmt.Fprintf(b.out, "view rebuilt from %d images: %.0f images/s\n", c.Rebuild, result.Rebuilt.Rate)
	result.Seen, err = searchbench.Visible(ctx, &history, engine, c.Seen, c.Every)
	if err != nil {
		return err
	}
	searchbench.Print(b.out, []searchbench.Asked{result.Seen})
	return nil
}

// swapIn waits until the view is filled and lets its index answer.
func (b *bench) swapIn(ctx context.Context, view search.View, engine search.Engine) error {
	heads, err := b.store.Heads(ctx)
	if err != nil {
		return err
	}
	if err := b.caughtUp(ctx, heads, []projections.Projection{view}); err != nil {
		return err
	}
	id, err := engine.ID(ctx)
	if err != nil {
		return err
	}
	return engine.Swap(ctx, id)
}
