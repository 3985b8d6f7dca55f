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

func open(t testing.TB, dir string) *bleve.Engine {
	t.Helper()
	engine, err := bleve.Open(bleve.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func TestEngineInMemory(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, "") })
}

func TestEngineInAFolder(t *testing.T) {
	t.Parallel()
	searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, t.TempDir()) })
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

func id(t *testing.T, e *bleve.Engine) string {
	t.Helper()
	id, err := e.ID(t.Context())
	require.NoError(t, err)
	return id
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := bleve.Open(bleve.Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, first.Index(t.Context(), []search.Document{document()}))
	before := id(t, first)
	require.NoError(t, first.Close())
	again := open(t, dir)
	require.Equal(t, before, id(t, again))
	require.Equal(t, 1, found(t, again))
}

func TestABrokenIndexIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"no metadata": func(t *testing.T, path string) {
			require.NoError(t, os.Remove(filepath.Join(path, "index_meta.json")))
		},
		"no store": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(filepath.Join(path, "store")))
		},
		"rubbish": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(filepath.Join(path, "store", "root.bolt"), []byte("rubbish"), 0o600))
		},
		"a file": func(t *testing.T, path string) {
			require.NoError(t, os.RemoveAll(path))
			require.NoError(t, os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, err := bleve.Open(bleve.Config{Dir: dir})
			require.NoError(t, err)
			require.NoError(t, first.Index(t.Context(), []search.Document{document()}))
			before := id(t, first)
			require.NoError(t, first.Close())
			damage(t, filepath.Join(dir, "v1"))
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
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "v0", "store"), 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "very-own"), 0o700))
	open(t, dir)
	require.NoDirExists(t, filepath.Join(dir, "v0"))
	require.DirExists(t, filepath.Join(dir, "very-own"))
}

func TestAnIndexInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := open(t, dir)
	require.NoError(t, first.Index(t.Context(), []search.Document{document()}))
	_, err := bleve.Open(bleve.Config{Dir: dir})
	require.ErrorContains(t, err, "another process")
	require.Equal(t, 1, found(t, first))
}

const victimEnv = "PINGVAS_BLEVE_VICTIM"

// victim indexes one document and waits to be killed.
func victim(dir string) {
	engine, err := bleve.Open(bleve.Config{Dir: dir})
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
