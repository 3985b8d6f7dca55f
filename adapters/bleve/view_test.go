package bleve_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/bleve"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
)

// TestTheViewFillsALostIndex runs the view into an index whose folder is emptied in between.
func TestTheViewFillsALostIndex(t *testing.T) {
	t.Parallel()
	h := projectiontest.NewHistory(t, 60, 3)
	h.Play(500)
	pool, folder := projectiontest.Database(t), t.TempDir()
	fill := func(dir string) int64 {
		engine, err := bleve.Open(partitions(dir))
		require.NoError(t, err)
		projectiontest.CatchUp(t, projections.Config{
			Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: pool, Projection: search.New(engine),
		})
		require.NoError(t, engine.Swap(t.Context(), id(t, engine)))
		var found int64
		for _, c := range h.Accounts {
			result, err := engine.Search(t.Context(), search.Query{Account: c.ID, Words: "고양이", Limit: 100})
			require.NoError(t, err)
			found += result.Total
		}
		require.NoError(t, engine.Close())
		return found
	}
	first := fill(folder)
	require.Positive(t, first)
	require.Equal(t, first, fill(folder), "the index is used again")
	require.Equal(t, first, fill(t.TempDir()), "an empty index is filled from the beginning")
}
