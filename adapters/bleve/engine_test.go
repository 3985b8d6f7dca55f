package bleve_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	// The library starts its analysis workers when it is loaded.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// partitions splits the accounts of the tests.
func partitions(dir string) bleve.Config {
	last := func(id domain.AccountID) int { return int(id[len(id)-1]) % 3 }
	return bleve.Config{Dir: dir, Partitions: 3, Partition: last}
}

// open opens the engine; a new index answers at once.
func open(t testing.TB, dir string) *bleve.Engine {
	t.Helper()
	engine, err := bleve.Open(partitions(dir))
	require.NoError(t, err)
	require.NoError(t, engine.Swap(context.Background(), id(t, engine)))
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func TestEngineInMemory(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, "") }, searchtest.Promise{})
}

func TestEngineInAFolder(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, t.TempDir()) }, searchtest.Promise{})
}

func TestOtherPartitionsMakeAnotherIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := filled(t, dir)
	before := id(t, first)
	require.NoError(t, first.Close())
	second, err := bleve.Open(bleve.Config{Dir: dir})
	require.NoError(t, err)
	require.NotEqual(t, before, id(t, second))
	require.NoError(t, second.Close())
	_, err = bleve.Open(bleve.Config{Partitions: bleve.PartitionsMax + 1})
	require.Error(t, err)
}

const account = "acc_00000000000000000000000001"

func document() search.Document {
	return search.Document{
		Image: "img_00000000000000000000000001_0", Account: account, Prompt: "a cat", Version: 1, CreatedAt: time.Now(),
	}
}

func found(t *testing.T, e *bleve.Engine) int {
	t.Helper()
	result, err := e.Search(t.Context(), search.Query{Account: account, Words: "cat", Limit: 10})
	require.NoError(t, err)
	return len(result.Images)
}

func id(t testing.TB, e *bleve.Engine) string {
	t.Helper()
	id, err := e.ID(context.Background())
	require.NoError(t, err)
	return id
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := filled(t, dir)
	before := id(t, first)
	require.NoError(t, first.Clear(t.Context()))
	built := id(t, first)
	require.NoError(t, first.Close())
	second, err := bleve.Open(partitions(dir))
	require.NoError(t, err)
	require.Equal(t, built, id(t, second), "what was built is built on")
	require.Equal(t, 1, found(t, second), "and what answered answers")
	require.NoError(t, second.Swap(t.Context(), built))
	require.NoError(t, second.Close())
	third := open(t, dir)
	require.Equal(t, built, id(t, third))
	require.NotEqual(t, before, built)
	require.Zero(t, found(t, third))
	require.Len(t, folders(t, dir), 1, "the old one is gone")
}

// filled returns an open engine with one document.
func filled(t *testing.T, dir string) *bleve.Engine {
	t.Helper()
	engine, err := bleve.Open(partitions(dir))
	require.NoError(t, err)
	require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
	require.NoError(t, engine.Index(t.Context(), []search.Document{document()}))
	return engine
}

func folders(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "v2-*"))
	require.NoError(t, err)
	return all
}

func TestAnIndexThatNeverAnsweredAnswersNothing(t *testing.T) {
	t.Parallel()
	engine, err := bleve.Open(bleve.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	require.NoError(t, engine.Index(t.Context(), []search.Document{document()}))
	_, err = engine.Search(t.Context(), search.Query{Account: account, Limit: 10})
	require.Equal(t, domain.CodeUnavailable, domain.CodeOf(err))
}

func TestABrokenIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"no metadata": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(filepath.Join(path, "1", "index_meta.json")))
		},
		"no store": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(filepath.Join(path, "0", "store")))
		},
		"no partition": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(filepath.Join(path, "2")))
		},
		"no description": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(filepath.Join(path, "index.json")))
		},
		"half a description": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(filepath.Join(path, "index.json"), []byte(`{"id`), 0o600))
		},
		"rubbish": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(filepath.Join(path, "0", "store", "root.bolt"), []byte("rubbish"), 0o600))
		},
		"a file": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := filled(t, dir)
			before := id(t, first)
			require.NoError(t, first.Close())
			damage(t, folders(t, dir)[0])
			again := open(t, dir)
			require.NotEqual(t, before, id(t, again), "the runner must see that the contents are lost")
			require.Zero(t, found(t, again))
			require.NoError(t, again.Index(t.Context(), []search.Document{document()}))
			require.Equal(t, 1, found(t, again))
		})
	}
}

func TestIndexesOfOtherVersionsAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "v1", "store"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "v2-unfinished"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "very-own"), 0o700))
	open(t, dir)
	require.NoDirExists(t, filepath.Join(dir, "v1"))
	require.Len(t, folders(t, dir), 1)
	require.DirExists(t, filepath.Join(dir, "very-own"))
}

func TestAnIndexInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	require.NoError(t, first.Index(t.Context(), []search.Document{document()}))
	_, err := bleve.Open(partitions(dir))
	require.ErrorContains(t, err, "another process")
	require.Equal(t, 1, found(t, first))
}

const victimEnv = "PINGVAS_BLEVE_VICTIM"

// victim indexes one document and waits to be killed.
func victim(dir string) {
	engine, err := bleve.Open(partitions(dir))
	if err == nil {
		err = engine.Index(context.Background(), []search.Document{document()})
	}
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString("ready\n")
	select {}
}

func TestAnAcknowledgedDocumentSurvivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), victimEnv+"="+dir)
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	ready := make([]byte, len("ready\n"))
	_, err = io.ReadFull(out, ready)
	require.NoError(t, err)
	require.NoError(t, process.Process.Kill())
	require.Error(t, process.Wait())
	require.Equal(t, 1, found(t, open(t, dir)))
}
