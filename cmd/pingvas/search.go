package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/search"
)

// blevePartitionsMax bounds the partitions of the embedded index.
const blevePartitionsMax = 16

// The interval between tries to reach a search server, doubled each time.
const (
	searchRetryFirst = time.Second
	searchRetryMax   = 30 * time.Second
)

// searchSettings say which server searches; without a URL it is the embedded index.
type searchSettings struct {
	URLs     []string `name:"opensearch-url" env:"OPENSEARCH_URL" help:"URLs of some nodes of OpenSearch 2 or Elasticsearch 8, or later, separated by commas. The same for api and project: project fills the index, and any number of api processes search it. Empty for the embedded index of one api process."`
	User     string   `name:"opensearch-user" env:"OPENSEARCH_USER" help:"User of the search server."`
	Password string   `name:"opensearch-password" env:"OPENSEARCH_PASSWORD" help:"Password of the user."`
	APIKey   string   `name:"opensearch-api-key" env:"OPENSEARCH_API_KEY" help:"API key of Elasticsearch, encoded, instead of a user."`
	CA       string   `name:"opensearch-ca" env:"OPENSEARCH_CA" help:"File of the authorities (PEM) that sign the certificate of the search server; empty for those of the system."`
	Prefix   string   `name:"opensearch-prefix" env:"OPENSEARCH_PREFIX" default:"pingvas-search" help:"What the names of the indexes begin with."`
	Shards   int      `name:"opensearch-shards" env:"OPENSEARCH_SHARDS" default:"2" help:"Shards of a new index, 1 to 64."`
}

func (s searchSettings) given() bool { return len(s.URLs) > 0 }

func (s searchSettings) errors() []error {
	if !s.given() {
		return nil
	}
	cfg, err := s.config()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return []error{fmt.Errorf("OPENSEARCH_*: %w", err)}
	}
	return nil
}

func (s searchSettings) config() (opensearch.Config, error) {
	cfg := opensearch.Config{
		URLs: s.URLs, User: s.User, Password: s.Password, APIKey: s.APIKey, Prefix: s.Prefix, Shards: s.Shards,
	}
	if s.CA != "" {
		var err error
		if cfg.CA, err = os.ReadFile(s.CA); err != nil {
			return cfg, fmt.Errorf("read the authorities of the search server: %w", err)
		}
	}
	return cfg, nil
}

// openSearch opens what the API searches in, and returns what must run for it: with a server, others fill its index.
func (p *parts) openSearch(
	ctx context.Context, s searchSettings, dir string, signal *projections.Signal,
) (search.Engine, []role, error) {
	if !s.given() {
		return p.openBleve(ctx, dir, signal)
	}
	engine, err := p.openServer(s)
	if err != nil {
		return nil, nil, err
	}
	return engine, []role{p.inspectRole(engine)}, nil
}

// fillServer returns the roles that keep the index of a search server up to date, none without one.
func (p *parts) fillServer(s searchSettings) ([]role, error) {
	if !s.given() {
		return nil, nil
	}
	engine, err := p.openServer(s)
	if err != nil {
		return nil, err
	}
	roles, err := p.searchRoles(engine, nil)
	if err != nil {
		return nil, err
	}
	// A search server that is away must not keep the other views of this process from starting.
	roles[0].run = p.insist(roles[0].run)
	return append(roles, p.inspectRole(engine)), nil
}

func (p *parts) openServer(s searchSettings) (*opensearch.Engine, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	cfg.Log, cfg.Observer = p.log, newSearchObserver(p.metrics)
	engine, err := opensearch.Open(cfg)
	if err != nil {
		return nil, err
	}
	p.onClose(engine.Close)
	p.searchServer = engine
	return engine, nil
}

// searchPingMax bounds how long readiness waits for the search server, which may be busy for long.
const searchPingMax = 300 * time.Millisecond

func (p *parts) pingSearch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, searchPingMax)
	defer cancel()
	return p.searchServer.Ping(ctx)
}

// inspectRole says once how the server reads Korean, as soon as it answers.
func (p *parts) inspectRole(engine *opensearch.Engine) role {
	return role{"search inspection", p.insist(engine.Inspect)}
}

// insist starts again what ends with an error, until ctx ends.
func (p *parts) insist(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for wait := searchRetryFirst; ; wait = min(2*wait, searchRetryMax) {
			err := run(ctx)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			p.log.WarnContext(ctx, "the search server is not ready; another try follows", slog.Any("error", err),
				slog.Duration("after", wait))
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil
			case <-timer.C:
			}
		}
	}
}

// searchObserver turns what a search server is met with into metrics.
type searchObserver struct {
	retried prometheus.Counter
	nori    prometheus.Gauge
}

func newSearchObserver(registry prometheus.Registerer) searchObserver {
	o := searchObserver{
		retried: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "pingvas_search_retried_total", Help: "Documents sent again because the search server was busy or away.",
		}),
		nori: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pingvas_search_nori",
			Help: "1 if the search server has Nori; 0 means that Korean is found by pairs alone: an alarm.",
		}),
	}
	registry.MustRegister(o.retried, o.nori)
	return o
}

// Retried implements opensearch.Observer.
func (o searchObserver) Retried(writes int) { o.retried.Add(float64(writes)) }

// Korean implements opensearch.Observer.
func (o searchObserver) Korean(nori bool) {
	o.nori.Set(0)
	if nori {
		o.nori.Set(1)
	}
}

// openBleve opens the embedded index. One process may use a folder at a time, so it is the API's own process that
// keeps it up to date.
func (p *parts) openBleve(ctx context.Context, dir string, signal *projections.Signal) (search.Engine, []role, error) {
	if dir == "" {
		return nil, nil, errors.New("the embedded search index needs a folder")
	}
	engine, err := bleve.Open(p.bleveConfig(filepath.Clean(dir)))
	if err != nil {
		return nil, nil, err
	}
	p.onClose(func() {
		if err := engine.Close(); err != nil {
			p.log.Error("the search index did not close cleanly", "error", err)
		}
	})
	if err := projections.Setup(ctx, p.views, search.New(engine), p.store.Shards()); err != nil {
		return nil, nil, err
	}
	roles, err := p.searchRoles(engine, signal)
	return engine, roles, err
}

// bleveConfig lays accounts of one shard of the ledger together, so that a batch of its events is one write.
func (p *parts) bleveConfig(dir string) bleve.Config {
	shards := p.store.Shards()
	partitions := min(shards, blevePartitionsMax)
	return bleve.Config{Dir: dir, Log: p.log, Partitions: partitions, Partition: func(account domain.AccountID) int {
		return eventstore.ShardOf(account, shards) % partitions
	}}
}

// searchRoles keep an index up to date, and let it answer when it is.
func (p *parts) searchRoles(engine search.Engine, signal *projections.Signal) ([]role, error) {
	view, err := p.viewRole(search.New(engine), false, signal)
	if err != nil {
		return nil, err
	}
	swapper := search.Swapper{Engine: engine, Pool: p.views, Ledger: p.store, Log: p.log}
	return []role{view, {"search swap", swapper.Run}}, nil
}
