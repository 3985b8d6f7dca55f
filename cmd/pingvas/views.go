package main

import (
	"context"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/gallery"
	"github.com/pingvas/pingvas/projections/generations"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/statement"
	"github.com/pingvas/pingvas/projections/usage"
)

// ledgerViews stop at an event that they cannot apply: a wrong balance is worse than none.
func ledgerViews() []projections.Projection {
	return []projections.Projection{balance.New(), statement.New(), generations.New(), usage.New()}
}

// pictureViews park an event that they cannot apply and go on.
func pictureViews() []projections.Projection { return []projections.Projection{gallery.New()} }

// rowViews returns all views with what of them lies in Postgres.
func rowViews() []projections.Projection {
	return append(append(ledgerViews(), pictureViews()...), search.New(nil).Rows())
}

// viewRoles returns a runner for each view.
func (p *parts) viewRoles(signal *projections.Signal) ([]role, error) {
	var roles []role
	for _, view := range ledgerViews() {
		r, err := p.viewRole(view, true, signal)
		if err != nil {
			return nil, err
		}
		roles = append(roles, r)
	}
	for _, view := range pictureViews() {
		r, err := p.viewRole(view, false, signal)
		if err != nil {
			return nil, err
		}
		roles = append(roles, r)
	}
	return roles, nil
}

func (p *parts) viewRole(view projections.Projection, strict bool, signal *projections.Signal) (role, error) {
	runner, err := projections.New(projections.Config{
		Ledger: p.store, Decoder: p.codec, Pool: p.pool, Projection: view, Strict: strict, Feed: p.feed,
		Signal: signal, Observer: p.observer, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"view " + view.Name(), runner.Run}, nil
}

// setupViews creates the tables of all views, for readers that come before the runners.
func (p *parts) setupViews(ctx context.Context) error {
	for _, view := range append(ledgerViews(), pictureViews()...) {
		if err := projections.Setup(ctx, p.pool, view, p.store.Shards()); err != nil {
			return err
		}
	}
	return nil
}
