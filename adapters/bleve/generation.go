package bleve

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/index/scorch"
	bolt "go.etcd.io/bbolt/errors"
)

const (
	// lockTimeout is how long an index that another process holds is waited for.
	lockTimeout = "2s"
	folderMode  = 0o700
	fileMode    = 0o600
	// manifestName is the file that says what a folder holds. It is written last, so a folder without it is unfinished.
	manifestName = "index.json"
)

var errInUse = errors.New("another process may be using it")

// manifest is what is known of an index. Times are in nanoseconds since 1970.
type manifest struct {
	ID         string `json:"id"`
	Partitions int    `json:"partitions"`
	Created    int64  `json:"created"`
	Served     int64  `json:"served"` // since when it answers; 0 for not yet
}

// generation is one index: its partitions.
type generation struct {
	manifest
	parts []*partition
}

type partition struct {
	index bleve.Index
	write sync.Mutex // held from the look at versions to the write of a batch
}

// The folder of an index carries the version of the schema, so that other versions can be told without reading them.
func (m manifest) folder(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "v"+strconv.Itoa(schemaVersion)+"-"+m.ID)
}

func (m manifest) path(dir string, part int) string {
	if dir == "" {
		return "" // in memory
	}
	return filepath.Join(m.folder(dir), strconv.Itoa(part))
}

// storeConfig returns a map of its own each time: the index writes its path into it.
func storeConfig() map[string]any { return map[string]any{"bolt_timeout": lockTimeout} }

// create makes an empty index.
func create(cfg Config, id string) (*generation, error) {
	g := &generation{manifest: manifest{ID: id, Partitions: cfg.Partitions, Created: time.Now().UnixNano()}}
	m, err := newMapping()
	if err != nil {
		return nil, err
	}
	if cfg.Dir != "" {
		if err := os.Mkdir(g.folder(cfg.Dir), folderMode); err != nil {
			return nil, fmt.Errorf("create the folder of a search index: %w", err)
		}
	}
	for part := range cfg.Partitions {
		index, err := bleve.NewUsing(g.path(cfg.Dir, part), m, scorch.Name, scorch.Name, storeConfig())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create a search index: %w", err), g.discard(cfg.Dir))
		}
		g.parts = append(g.parts, &partition{index: index})
	}
	if err := g.write(cfg.Dir); err != nil {
		return nil, errors.Join(err, g.discard(cfg.Dir))
	}
	return g, nil
}

// open opens an index that was made with the same partitions. Its error is errInUse if another process has it.
func open(cfg Config, m manifest) (*generation, error) {
	if m.Partitions != cfg.Partitions {
		return nil, fmt.Errorf("the search index has %d partitions instead of %d", m.Partitions, cfg.Partitions)
	}
	g := &generation{manifest: m}
	for part := range m.Partitions {
		index, err := bleve.OpenUsing(m.path(cfg.Dir, part), storeConfig())
		if errors.Is(err, bolt.ErrTimeout) || errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: %w", errInUse, err)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open the search index: %w", err), g.close())
		}
		g.parts = append(g.parts, &partition{index: index})
	}
	return g, nil
}

// serve records that the index answers from now on.
func (g *generation) serve(dir string) error {
	served := g.manifest
	served.Served = time.Now().UnixNano()
	if err := served.write(dir); err != nil {
		return err
	}
	g.manifest = served
	return nil
}

func (m manifest) write(dir string) error {
	if dir == "" {
		return nil
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describe a search index: %w", err)
	}
	name := filepath.Join(m.folder(dir), manifestName)
	if err := os.WriteFile(name+".new", text, fileMode); err != nil {
		return fmt.Errorf("describe a search index: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("describe a search index: %w", err)
	}
	return nil
}

func (m manifest) remove(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.RemoveAll(m.folder(dir)); err != nil {
		return fmt.Errorf("remove an old search index: %w", err)
	}
	return nil
}

func (g *generation) close() error {
	if g == nil {
		return nil
	}
	var errs []error
	for _, p := range g.parts {
		if err := p.index.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the search index: %w", err))
		}
	}
	return errors.Join(errs...)
}

// discard closes and removes an index that nobody needs.
func (g *generation) discard(dir string) error {
	if g == nil {
		return nil
	}
	return errors.Join(g.close(), g.remove(dir))
}

// list returns the indexes of this version in a folder, the newest first.
func list(dir string) ([]manifest, error) {
	names, err := filepath.Glob(filepath.Join(dir, "v"+strconv.Itoa(schemaVersion)+"-*", manifestName))
	if err != nil {
		return nil, fmt.Errorf("look for search indexes: %w", err)
	}
	var all []manifest
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("look for search indexes: %w", err)
		}
		var m manifest
		if json.Unmarshal(text, &m) == nil && filepath.Dir(name) == m.folder(dir) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b manifest) int { return cmp.Compare(b.Created, a.Created) })
	return all, nil
}

// removeOthers removes the indexes of other versions of this package, and those that were never finished.
func removeOthers(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for old search indexes: %w", err)
	}
	current, err := list(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		kept := slices.ContainsFunc(current, func(m manifest) bool { return m.folder(dir) == path })
		version, ours := strings.CutPrefix(entry.Name(), "v")
		version, _, _ = strings.Cut(version, "-")
		if _, err := strconv.Atoi(version); !ours || err != nil || kept {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove an old search index: %w", err)
		}
	}
	return nil
}
