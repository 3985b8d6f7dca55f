package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/projections"
)

// mendViews uses the tools for read models on an instance that runs.
func mendViews(t *testing.T, on toolSettings) {
	t.Helper()
	require.NoError(t, (&digestViewCmd{toolSettings: on}).Run(t.Context(), quiet()))
	for _, view := range []string{"balance", "gallery"} {
		require.NoError(t, (&rebuildCmd{toolSettings: on, View: view}).Run(t.Context(), quiet()))
	}
	require.NoError(t, (&replayViewCmd{toolSettings: on, View: "gallery"}).Run(t.Context(), quiet()))
	require.ErrorIs(t, (&rebuildCmd{toolSettings: on, View: "search"}).Run(t.Context(), quiet()), projections.ErrInPlace)
	require.ErrorIs(t, (&replayViewCmd{toolSettings: on, View: "search"}).Run(t.Context(), quiet()), errInIndex)
	require.ErrorContains(t, (&rebuildCmd{toolSettings: on, View: "nothing"}).Run(t.Context(), quiet()), "balance")

	p, done, err := on.open(t.Context(), quiet())
	require.NoError(t, err)
	defer done()
	lines, err := viewLines(t.Context(), p)
	require.NoError(t, err)
	require.Len(t, lines, len(rowViews()), "replaced builds are gone")
	i := slices.IndexFunc(lines, func(l viewLine) bool { return l.View == "balance" })
	require.Equal(t, 2, lines[i].Build)
	require.Equal(t, projections.Live, lines[i].State)
	var out bytes.Buffer
	require.NoError(t, printViews(&out, lines))
	require.Contains(t, out.String(), "gallery")
	require.NoError(t, (&listViewsCmd{toolSettings: on, JSON: true}).Run(t.Context(), quiet()))
}
