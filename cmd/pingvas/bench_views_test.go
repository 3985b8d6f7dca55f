package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBenchViews(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchViewsCmd{
		Images: 400, Own: 100, Accounts: 10, Rebuild: []string{"balance", "statement", "gallery"}, Traffic: 200, Rate: 200,
		Pace: 200 * time.Millisecond, Clients: 4, Round: shortRound, Parallel: 2,
	}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	results := found.(benchViewsResults)
	require.Len(t, results.Rebuilds, 3)
	require.Len(t, results.Questions, 4)
	require.Positive(t, results.Visible.Reserves)
	require.Zero(t, results.UnderTraffic.Backs)
	require.Zero(t, results.UnderTraffic.Unequal)
	require.Contains(t, out.String(), "gallery page by tag")
	require.NoError(t, verify(t.Context(), b.parts, false, b.out))
}
