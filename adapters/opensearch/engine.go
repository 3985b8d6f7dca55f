package opensearch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/pingvas/pingvas/projections/search"
)

// Engine is a search engine on a server. It keeps nothing: any number of processes may use the same indexes.
type Engine struct {
	cfg       Config
	client    esapi.Transport
	transport *http.Transport
	refreshes *refreshes
	end       string // of the alias that is written to
}

// The ends of the aliases that are written to.
const (
	writeEnd  = "-write"
	besideEnd = "-beside"
)

var _ search.Engine = (*Engine)(nil)

// Open returns an engine. It does not connect: a server that is away is an error of what is asked of it.
func Open(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	transport, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, transport: transport, refreshes: &refreshes{}, end: writeEnd}
	options, err := cfg.client()
	if err != nil {
		return nil, err
	}
	// The product is known node by node, before anything else is sent there.
	asking := elastictransport.WithTransport(&product{next: transport, known: map[string]bool{}})
	if e.client, err = elastictransport.NewClient(append(options, asking)...); err != nil {
		return nil, fmt.Errorf("make the client of the search server: %w", err)
	}
	return e, nil
}

// Close lets go of the connections.
func (e *Engine) Close() { e.transport.CloseIdleConnections() }

// The aliases. The name of an index never equals one, since it goes on with an m.
func (e *Engine) readAlias() string  { return e.cfg.Prefix }
func (e *Engine) writeAlias() string { return e.cfg.Prefix + e.end }

// pattern matches the indexes of every mapping, and no alias.
func (e *Engine) pattern() string { return e.cfg.Prefix + "-m*" }

// indexes are the aliases of each index of ours.
type indexes map[string]struct {
	Aliases map[string]json.RawMessage `json:"aliases"`
}

// with returns the index that has an alias, or "".
func (i indexes) with(alias string) string {
	for _, name := range slices.Sorted(maps.Keys(i)) {
		if _, ok := i[name].Aliases[alias]; ok {
			return name
		}
	}
	return ""
}

func (e *Engine) indexes(ctx context.Context) (indexes, error) {
	var found indexes
	err := e.send(ctx, requestTimeout, &found, func() request {
		return esapi.IndicesGetAliasRequest{Index: []string{e.pattern()}}
	})
	if err != nil {
		return nil, fmt.Errorf("look for the search indexes: %w", err)
	}
	return found, nil
}

// noIndex is the ID of nothing.
const noIndex = "none"

// ID implements search.Engine. An index of another mapping is none of ours, so the view fills a new one.
func (e *Engine) ID(ctx context.Context) (string, error) {
	found, err := e.indexes(ctx)
	if err != nil {
		return "", err
	}
	name := found.with(e.writeAlias())
	switch {
	case name == "":
		return noIndex, nil
	case !strings.HasPrefix(name, e.ours()):
		return noIndex + ", but of another mapping: " + name, nil
	}
	return name, nil
}

// Clear implements search.Engine.
func (e *Engine) Clear(ctx context.Context) error {
	nori, err := e.probe(ctx)
	if err != nil {
		return err
	}
	if err := e.putTemplate(ctx, nori); err != nil {
		return err
	}
	name := e.ours() + map[bool]string{true: noriPart, false: cjkPart}[nori] + strings.ToLower(rand.Text())
	err = e.send(ctx, requestTimeout, nil, func() request { return esapi.IndicesCreateRequest{Index: name} })
	if err != nil && !exists(err) { // made by a try whose answer was lost
		return fmt.Errorf("create a search index: %w", err)
	}
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	actions := []any{aliasAction("add", name, e.writeAlias())}
	given := found.with(e.writeAlias())
	if given != "" {
		actions = append(actions, aliasAction("remove", given, e.writeAlias()))
	}
	if err := e.alias(ctx, actions); err != nil {
		return err
	}
	if given != "" && given != found.with(e.readAlias()) {
		return e.remove(ctx, given)
	}
	return nil
}

// Swap implements search.Engine.
func (e *Engine) Swap(ctx context.Context, id string) error {
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	fresh, old := found.with(e.writeAlias()), found.with(e.readAlias())
	if fresh != id {
		return nil
	}
	if old != fresh {
		if err := e.refresh(ctx, fresh); err != nil {
			return err
		}
	}
	if actions := e.moves(found, fresh); len(actions) > 0 {
		if err := e.alias(ctx, actions); err != nil {
			return err
		}
		e.cfg.Log.InfoContext(ctx, "another search index answers", slog.String("index", fresh), slog.String("old", old))
	}
	besides := found.with(e.cfg.Prefix + besideEnd)
	for name := range found { // the old one, and what broken builds have left, but not what is built beside
		if name != fresh && (name != besides || e.end == besideEnd) {
			if err := e.remove(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// moves are the changes of aliases that let an index be read and written.
func (e *Engine) moves(found indexes, fresh string) []any {
	var actions []any
	for _, alias := range []string{e.readAlias(), e.cfg.Prefix + writeEnd} {
		old := found.with(alias)
		if old == fresh {
			continue
		}
		actions = append(actions, aliasAction("add", fresh, alias))
		if old != "" {
			actions = append(actions, aliasAction("remove", old, alias))
		}
	}
	return actions
}

// Beside implements search.Engine: the same engine, which writes to an alias of its own.
func (e *Engine) Beside(ctx context.Context) (search.Engine, error) {
	beside := *e
	beside.end = besideEnd
	return &beside, beside.Clear(ctx)
}

// Discard implements search.Engine.
func (e *Engine) Discard(ctx context.Context) error {
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	name := found.with(e.writeAlias())
	if name == "" || name == found.with(e.readAlias()) || name == found.with(e.cfg.Prefix+writeEnd) && e.end == besideEnd {
		return nil
	}
	return e.remove(ctx, name)
}

func aliasAction(do, index, alias string) any {
	return map[string]any{do: map[string]any{"index": index, "alias": alias}}
}

// alias changes aliases, all at once.
func (e *Engine) alias(ctx context.Context, actions []any) error {
	err := e.send(ctx, requestTimeout, nil, func() request {
		return esapi.IndicesUpdateAliasesRequest{Body: body(map[string]any{"actions": actions})}
	})
	if err != nil {
		return fmt.Errorf("change the aliases of the search indexes: %w", err)
	}
	return nil
}

func (e *Engine) remove(ctx context.Context, name string) error {
	err := e.send(ctx, requestTimeout, nil, func() request { return esapi.IndicesDeleteRequest{Index: []string{name}} })
	if err != nil && !missing(err) {
		return fmt.Errorf("remove the search index %s: %w", name, err)
	}
	return nil
}

func (e *Engine) refresh(ctx context.Context, index string) error {
	err := e.send(ctx, requestTimeout, nil, func() request { return esapi.IndicesRefreshRequest{Index: []string{index}} })
	if err != nil {
		return fmt.Errorf("refresh the search index: %w", err)
	}
	return nil
}

// Ping returns an error if the server does not answer, or is a wrong one.
func (e *Engine) Ping(ctx context.Context) error {
	_, err := e.indexes(ctx)
	return err
}

// Drop removes everything that the engine has made on the server.
func (e *Engine) Drop(ctx context.Context) error {
	found, err := e.indexes(ctx)
	if err != nil {
		return err
	}
	for name := range found {
		if err := e.remove(ctx, name); err != nil {
			return err
		}
	}
	err = e.send(ctx, requestTimeout, nil, func() request {
		return esapi.IndicesDeleteIndexTemplateRequest{Name: e.cfg.Prefix}
	})
	if err != nil && !answered(err, http.StatusNotFound, "index_template_missing_exception") {
		return fmt.Errorf("remove the template of the search indexes: %w", err)
	}
	return nil
}
