package main

import (
	"context"
	"path/filepath"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/search"
)

// blevePartitionsMax bounds the partitions of the embedded index.
const blevePartitionsMax = 16

// openBleve opens the embedded index. One process may use a folder at a time, so it is the API's own process that
// keeps it up to date.
func (p *parts) openBleve(ctx context.Context, dir string, signal *projections.Signal) (search.Engine, []role, error) {
	engine, err := bleve.Open(p.bleveConfig(filepath.Clean(dir)))
	if err != nil {
		return nil, nil, err
	}
	p.onClose(func() {
		if err := engine.Close(); err != nil {
			p.log.Error("the search index did not close cleanly", "error", err)
		}
	})
	if err := projections.Setup(ctx, p.pool, search.New(engine), p.store.Shards()); err != nil {
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
	swapper := search.Swapper{Engine: engine, Pool: p.pool, Ledger: p.store, Log: p.log}
	return []role{view, {"search swap", swapper.Run}}, nil
}
