package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// tableViews returns all views that lie in Postgres alone.
func tableViews() []projections.Projection { return append(ledgerViews(), pictureViews()...) }

// rowViews returns all views with what of them lies in Postgres.
func rowViews() []projections.Projection {
	return append(tableViews(), search.New(nil).Rows())
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
		Ledger: p.store, Decoder: p.codec, Pool: p.views, Projection: view, Strict: strict, Feed: p.feed,
		Signal: signal, Observer: p.observer, Log: p.log,
	})
	if err != nil {
		return role{}, err
	}
	return role{"view " + view.Name(), runner.Run}, nil
}

// setupViews creates the tables of all views, for readers that come before the runners.
func (p *parts) setupViews(ctx context.Context) error {
	for _, view := range tableViews() {
		if err := projections.Setup(ctx, p.views, view, p.store.Shards()); err != nil {
			return err
		}
	}
	return nil
}

// viewsLive returns an error as long as a view that is asked for is still being built. Search says so itself: a search
// server that is away keeps nobody from the rest.
func (p *parts) viewsLive(ctx context.Context) error {
	for _, view := range tableViews() {
		if _, err := projections.LiveCopy(ctx, p.views, view); err != nil {
			return err
		}
	}
	return nil
}

// viewsRun returns an error if a view stands still before an event that it cannot apply. Its answers are right as of
// their positions, so this alone takes no server out of service.
func (p *parts) viewsRun(ctx context.Context) error {
	var errs []error
	for _, view := range rowViews() {
		status, err := projections.StatusOf(ctx, p.views, view)
		if err != nil {
			return err
		}
		for _, c := range status.Copies {
			if c.Failure != "" {
				errs = append(errs, fmt.Errorf("the view %s stands still: %s", c.Schema(), c.Failure))
			}
		}
	}
	return errors.Join(errs...)
}

// keepViews says from time to time that this process reads the views, so that they stay when a newer program has
// versions of its own.
func (p *parts) keepViews(ctx context.Context) error {
	tick := time.NewTicker(projections.KeepEvery)
	defer tick.Stop()
	for {
		for _, view := range rowViews() {
			if err := projections.Keep(ctx, p.views, view); err != nil && ctx.Err() == nil {
				p.log.WarnContext(ctx, "cannot say that a view is in use", "view", view.Name(), "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
