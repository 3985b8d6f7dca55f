package opensearch_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/opensearch"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
)

// realServer is the server that the tests use instead of the stub, where one is given.
const realServer = "OPENSEARCH_URL"

// korean remembers how the server reads Korean.
type korean struct{ nori atomic.Bool }

func (*korean) Retried(int)        {}
func (k *korean) Korean(nori bool) { k.nori.Store(nori) }

// open returns an engine with indexes of its own, which are removed after the test.
func open(t testing.TB, cfg opensearch.Config) *opensearch.Engine {
	t.Helper()
	cfg.Prefix = "test-" + strings.ToLower(rand.Text())
	engine, err := opensearch.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, engine.Drop(context.Background()))
		engine.Close()
	})
	return engine
}

func TestRealServer(t *testing.T) {
	t.Parallel()
	cfg := opensearch.Config{URLs: []string{os.Getenv(realServer)}, Log: slog.New(slog.DiscardHandler)}
	k := &korean{}
	cfg.Observer = k
	require.NoError(t, open(t, cfg).Inspect(t.Context()))
	t.Logf("the server has Nori: %v", k.nori.Load())
	searchtest.Run(t, func(t *testing.T) search.Engine { return open(t, cfg) },
		searchtest.Promise{Morphemes: k.nori.Load()})
}
