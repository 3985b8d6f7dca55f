package bleve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	bolt "go.etcd.io/bbolt/errors"

	"github.com/pingvas/pingvas/projections/search"
)

const (
	// lockTimeout is how long an index that another process holds is waited for.
	lockTimeout = "2s"
	folderMode  = 0o700
)

// keyID is where the index keeps its id.
var keyID = []byte("pingvas.id")

// Config is what Open needs.
type Config struct {
	// Dir is the folder of the index, which belongs to the engine alone. Empty means in memory.
	Dir string
	// Log gets what an operator should see; nil discards it.
	Log *slog.Logger
}

// Engine is a search engine on one index.
type Engine struct {
	cfg Config

	mu    sync.RWMutex // written while the index is exchanged
	index bleve.Index
	write sync.Mutex // held from the look at versions to the write of a batch
}

var _ search.Engine = (*Engine)(nil)

// Open opens the index or makes a new one. It returns an error if another process holds the index, or the folder
// cannot be used.
func Open(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{cfg: cfg}
	if cfg.Dir == "" {
		return e, e.create()
	}
	if err := os.MkdirAll(cfg.Dir, folderMode); err != nil {
		return nil, fmt.Errorf("create the folder of the search index: %w", err)
	}
	index, err := bleve.OpenUsing(e.path(), map[string]any{"bolt_timeout": lockTimeout})
	if err == nil && hasID(index) {
		e.index = index
		return e, e.removeOthers()
	}
	if errors.Is(err, bolt.ErrTimeout) || errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open the search index, which another process may be using: %w", err)
	}
	if err == nil {
		err = errors.Join(errors.New("it has no id"), index.Close())
	}
	if !errors.Is(err, bleve.ErrorIndexPathDoesNotExist) {
		cfg.Log.Warn("the search index cannot be used and is made anew", slog.Any("error", err))
	}
	return e, errors.Join(e.create(), e.removeOthers())
}

// hasID reports whether the index was finished when it was made.
func hasID(index bleve.Index) bool {
	id, err := index.GetInternal(keyID)
	return err == nil && len(id) > 0
}

func (e *Engine) path() string { return filepath.Join(e.cfg.Dir, "v"+strconv.Itoa(schemaVersion)) }

// create makes an empty index with a new id in place of whatever is there.
func (e *Engine) create() error {
	m, err := newMapping()
	if err != nil {
		return err
	}
	path := ""
	if e.cfg.Dir != "" {
		path = e.path()
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the old search index: %w", err)
		}
	}
	config := map[string]any{"bolt_timeout": lockTimeout}
	index, err := bleve.NewUsing(path, m, scorch.Name, scorch.Name, config)
	if err != nil {
		return fmt.Errorf("create the search index: %w", err) // the old one stays: closed, it answers with errors
	}
	e.index = index
	if err := e.index.SetInternal(keyID, []byte(rand.Text())); err != nil {
		return fmt.Errorf("name the search index: %w", err)
	}
	return nil
}

// removeOthers removes the indexes of other versions of this package.
func (e *Engine) removeOthers() error {
	entries, err := os.ReadDir(e.cfg.Dir)
	if err != nil {
		return fmt.Errorf("look for old search indexes: %w", err)
	}
	for _, entry := range entries {
		version, ok := strings.CutPrefix(entry.Name(), "v")
		if n, err := strconv.Atoi(version); ok && err == nil && n != schemaVersion {
			if err := os.RemoveAll(filepath.Join(e.cfg.Dir, entry.Name())); err != nil {
				return fmt.Errorf("remove an old search index: %w", err)
			}
		}
	}
	return nil
}

// Close releases the index. Nothing may be called after it.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.index.Close(); err != nil {
		return fmt.Errorf("close the search index: %w", err)
	}
	return nil
}

// ID implements search.Engine.
func (e *Engine) ID(context.Context) (string, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	id, err := e.index.GetInternal(keyID)
	if err != nil {
		return "", fmt.Errorf("read the id of the search index: %w", err)
	}
	return string(id), nil
}

// Clear implements search.Engine.
func (e *Engine) Clear(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.index.Close(); err != nil {
		return fmt.Errorf("close the search index: %w", err)
	}
	return e.create()
}
