package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	recordIsClosed(t, p)
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

// recordIsClosed checks that no role of the read models can touch the record or the keys.
func recordIsClosed(t *testing.T, p *parts) {
	t.Helper()
	for _, role := range []string{
		projections.RoleApp, projections.RoleReader, projections.RoleOperator, projections.RoleProjector,
	} {
		for _, sql := range []string{
			`SELECT FROM ledger.events`, `INSERT INTO ledger.events DEFAULT VALUES`, `UPDATE ledger.shards SET pos = 0`,
			`DELETE FROM ledger.outcomes`, `SELECT FROM vault.data_keys`, `SELECT FROM vault.api_keys`,
		} {
			err := pgx.BeginFunc(t.Context(), p.views, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), `SELECT set_config('role', $1, true)`, role); err != nil {
					return err
				}
				_, err := tx.Exec(t.Context(), sql)
				return err
			})
			var refused *pgconn.PgError
			require.ErrorAs(t, err, &refused, "%s: %s", role, sql)
			require.Equal(t, "42501", refused.Code, "%s: %s: %v", role, sql, err)
		}
	}
}
