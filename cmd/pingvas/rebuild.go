package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/pingvas/pingvas/projections"
)

// searchView is the view with an index that is not in Postgres.
const searchView = "search"

// rebuildCmd is `pingvas rebuild`.
type rebuildCmd struct {
	toolSettings
	View     string `arg:"" help:"Name of the read model, e.g. balance."`
	InPlace  bool   `name:"in-place" help:"Drop the read model, so that its running process builds it anew. Until then it is incomplete."`
	Parallel int    `default:"4" help:"Shards that are built at once."`
	JSON     bool   `name:"json" help:"Write JSON."`
}

// rebuiltView is what a rebuild came to.
type rebuiltView struct {
	View    string  `json:"view"`
	Version int     `json:"version"`
	Build   int     `json:"build"`
	Events  int64   `json:"events"`
	Seconds float64 `json:"seconds"`
}

// Run implements the command.
func (c *rebuildCmd) Run(ctx context.Context, log *slog.Logger) error {
	cfg, done, err := c.viewTool(ctx, log, c.View)
	if err != nil {
		return err
	}
	defer done()
	if c.InPlace {
		if err := projections.Drop(ctx, cfg.Pool, cfg.Projection); err != nil {
			return err
		}
		fmt.Printf("%s is dropped; its process builds it anew as soon as there are new events, or when it starts\n", c.View)
		return nil
	}
	if c.View == searchView {
		return errors.Join(projections.ErrInPlace, errInIndex)
	}
	cfg.Parallel = c.Parallel
	result, err := rebuild(ctx, cfg)
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", c.View, err)
	}
	if c.JSON {
		return printJSON(os.Stdout, result)
	}
	fmt.Printf("%s: build %d of version %d is read now: %d events in %s\n", c.View, result.Build, result.Version,
		result.Events, time.Duration(result.Seconds*float64(time.Second)).Round(time.Millisecond))
	return nil
}

func rebuild(ctx context.Context, cfg projections.Config) (rebuiltView, error) {
	start, show := time.Now(), everySecond(os.Stderr)
	result := rebuiltView{View: cfg.Projection.Name()}
	r := projections.Rebuild{Config: cfg, Progress: func(done, total int64) {
		result.Events, result.Seconds = done, time.Since(start).Seconds()
		show("%d of %d events, %.0f/s", done, total, float64(done)/result.Seconds)
	}}
	built, err := r.Run(ctx)
	result.Version, result.Build = built.Version, built.Build
	return result, err
}
