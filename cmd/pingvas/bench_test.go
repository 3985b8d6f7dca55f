package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/internal/pgtest"
)

// A short run of every spread: it must end with a ledger that verifies.
func TestBenchLedger(t *testing.T) {
	t.Parallel()
	bench := benchLedgerCmd{
		Clients: []int{4}, Spreads: []string{"uniform", "zipf", "hot"}, Accounts: 20, Round: 50 * time.Millisecond, Rounds: 1,
	}
	ledger := ledgerSettings{DatabaseURL: pgtest.URL(t, pgtest.Schema{}), MasterKey: strings.Repeat("ab", masterKeyBytes)}
	require.NoError(t, bench.measure(t.Context(), quiet(), ledger))
}
