package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
)

// projectionsCmd is `pingvas projections`.
type projectionsCmd struct {
	List   listViewsCmd  `cmd:"" default:"withargs" help:"List the read models: state, version and build, lag, dead letters, last error."`
	Replay replayViewCmd `cmd:"" help:"Apply what a read model has parked, after it was repaired."`
	Digest digestViewCmd `cmd:"" help:"Publish the digests of read models, for audit verify and others to compare with a replay."`
}

// listViewsCmd is `pingvas projections list`.
type listViewsCmd struct {
	toolSettings
	JSON bool `name:"json" help:"Write JSON."`
}

// viewLine is one copy of a view, with how far it is behind.
type viewLine struct {
	View string `json:"view"`
	projections.CopyStatus
	Shown      string  `json:"shown_state"` // building, live, stopped or retired
	Lag        int64   `json:"lag_events"`
	AgeSeconds float64 `json:"lag_seconds"` // age of the oldest event that is not applied
}

// stateStopped is shown for a live copy with a shard that stands still.
const stateStopped = "stopped"

// Run implements the command.
func (c *listViewsCmd) Run(ctx context.Context, log *slog.Logger) error {
	p, done, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer done()
	lines, err := viewLines(ctx, p)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, lines)
	}
	return printViews(os.Stdout, lines)
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func viewLines(ctx context.Context, p *parts) ([]viewLine, error) {
	heads, err := p.store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	lines := []viewLine{}
	for _, view := range rowViews() {
		status, err := projections.StatusOf(ctx, p.views, view)
		if err != nil {
			return nil, err
		}
		for _, found := range status.Copies {
			line := viewLine{View: view.Name(), CopyStatus: found, Shown: string(found.State)}
			if found.State == projections.Live && found.Stopped > 0 {
				line.Shown = stateStopped
			}
			if err := line.measure(ctx, p, heads); err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// measure finds how far the copy is behind.
func (l *viewLine) measure(ctx context.Context, p *parts, heads []eventstore.Head) error {
	for shard, pos := range l.Positions {
		behind := heads[shard].Pos - pos
		if behind <= 0 {
			continue
		}
		l.Lag += behind
		next, err := p.store.ReadShard(ctx, shard, pos, 1)
		if err != nil {
			return err
		}
		l.AgeSeconds = max(l.AgeSeconds, time.Since(next[0].RecordedAt).Seconds())
	}
	return nil
}

func printViews(out io.Writer, lines []viewLine) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "view\tversion\tbuild\tstate\tlag\tage\tdead letters\tlast error")
	for _, l := range lines {
		age := time.Duration(l.AgeSeconds * float64(time.Second)).Round(time.Millisecond)
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%d\t%s\t%d\t%s\n", l.View, l.Version, l.Build, l.Shown, l.Lag, age, l.Dead,
			l.Failure)
	}
	return table.Flush()
}

// namedView is a view by its name, and whether it stops at what it cannot apply.
func namedView(name string) (projections.Projection, bool, error) {
	var names []string
	for _, view := range rowViews() {
		if view.Name() == name {
			strict := slices.ContainsFunc(ledgerViews(), func(v projections.Projection) bool { return v.Name() == name })
			return view, strict, nil
		}
		names = append(names, view.Name())
	}
	return nil, false, fmt.Errorf("there is no view %q, only %q", name, names)
}

// errInIndex is the answer for a view whose index only the process of the API has open.
var errInIndex = errors.New("the search index belongs to the process of the API: use `pingvas rebuild search --in-place`")

// viewTool opens the ledger and configures a runner of one view, without a feed.
func (c toolSettings) viewTool(ctx context.Context, log *slog.Logger, name string) (projections.Config, func(), error) {
	view, strict, err := namedView(name)
	if err != nil {
		return projections.Config{}, nil, err
	}
	p, done, err := c.open(ctx, log)
	if err != nil {
		return projections.Config{}, nil, err
	}
	return projections.Config{
		Ledger: p.store, Decoder: p.codec, Pool: p.views, Projection: view, Strict: strict, Log: log,
	}, done, nil
}

// replayViewCmd is `pingvas projections replay`.
type replayViewCmd struct {
	toolSettings
	View string `arg:"" help:"Name of the read model, e.g. gallery."`
	JSON bool   `name:"json" help:"Write JSON."`
}

// Run implements the command.
func (c *replayViewCmd) Run(ctx context.Context, log *slog.Logger) error {
	if c.View == searchView {
		return errInIndex
	}
	cfg, done, err := c.viewTool(ctx, log, c.View)
	if err != nil {
		return err
	}
	defer done()
	show := everySecond(os.Stderr)
	replay := projections.Replay{Config: cfg, Progress: func(at eventstore.Position, of int64) {
		show("shard %d: %d of %d events read", at.Shard, at.Pos, of)
	}}
	result, err := replay.Run(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(os.Stdout, result)
	}
	fmt.Printf("%s: %d parked events applied, %d left\n", c.View, result.Applied, result.Left)
	return nil
}

// everySecond returns what prints progress, not more often than that.
func everySecond(out io.Writer) func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			fmt.Fprintf(out, "  "+format+"\n", args...)
		}
	}
}

// digestViewCmd is `pingvas projections digest`.
type digestViewCmd struct {
	toolSettings
	View string `arg:"" optional:"" help:"Name of one read model; all without it."`
	JSON bool   `name:"json" help:"Write JSON."`
}

// publishedLine is the digest of one shard of a view.
type publishedLine struct {
	View     string `json:"view"`
	Position string `json:"position"`
	Digest   string `json:"digest"`
}

// Run implements the command.
func (c *digestViewCmd) Run(ctx context.Context, log *slog.Logger) error {
	views := rowViews()
	if c.View != "" {
		view, _, err := namedView(c.View)
		if err != nil {
			return err
		}
		views = []projections.Projection{view}
	}
	p, done, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer done()
	lines := []publishedLine{}
	for _, view := range views {
		list, err := projections.Publish(ctx, p.views, view, p.store.Shards())
		if err != nil {
			return err
		}
		for _, d := range list {
			lines = append(lines, publishedLine{view.Name(), d.Position.String(), d.Digest.String()})
		}
	}
	if c.JSON {
		return printJSON(os.Stdout, lines)
	}
	for _, l := range lines {
		fmt.Printf("%-11s %s %s\n", l.View, l.Position, l.Digest)
	}
	return nil
}
