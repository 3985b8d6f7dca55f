package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// asProgram in the environment makes the test binary the program itself, for what is measured in a process of its own.
const asProgram = "PINGVAS_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if err := os.Setenv(asProgram, "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Every measurement in a run far too short to tell anything: it must end, with a ledger that verifies.
const shortRound = 50 * time.Millisecond

func shortRounds(spreads ...string) benchRounds {
	return benchRounds{Spreads: spreads, Accounts: 20, Round: shortRound, Rounds: 2}
}

func newBench(t *testing.T) (*bench, *bytes.Buffer) {
	t.Helper()
	ledger := ledgerSettings{DatabaseURL: pgtest.URL(t, pgtest.Schema{}), MasterKey: strings.Repeat("ab", masterKeyBytes)}
	b, err := openBench(t.Context(), quiet(), ledger, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(b.close)
	var out bytes.Buffer
	b.out = &out
	return b, &out
}

func TestBenchLedger(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchLedgerCmd{Clients: []int{4}, benchNaive: benchNaive{2}, benchRounds: shortRounds("uniform", "zipf", "hot")}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	results := found.([]ledgerbench.Result)
	require.Len(t, results, 6)
	for _, r := range results {
		require.Len(t, r.Pairs, 2)
		require.Positive(t, r.Pairs[0])
		require.Positive(t, r.Cost.WALBytes)
	}
	require.Contains(t, out.String(), "everything verifies")
}

func TestBenchRefusesConnectionsThatThereCannotBe(t *testing.T) {
	t.Parallel()
	for _, n := range []int32{0, -1, naiveConnsMax + 1} {
		_, err := benchNaive{n}.open(t.Context(), "")
		require.ErrorContains(t, err, "connections of the naive side are not between")
	}
}

func TestBenchRest(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchRestCmd{
		Clients: []int{4}, benchNaive: benchNaive{2}, benchRounds: shortRounds("uniform", "hot"), Rate: 200,
		Pace: 4 * shortRound,
	}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	results := found.(benchRestResults)
	require.Len(t, results.Throughput, 4)
	require.Len(t, results.Latency, 4)
	for _, l := range results.Latency {
		require.Equal(t, 20, l.Reserves)
		require.Positive(t, l.P99)
		require.GreaterOrEqual(t, l.Max, l.P50)
	}
	require.Contains(t, out.String(), "everything verifies")
}

func TestBenchRaw(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchRawCmd{
		Spreads: []string{"uniform", "hot"}, Accounts: 20, Batch: 8, Commands: 500, Clients: 4, Round: shortRound, Rounds: 2,
	}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	for _, spread := range found.([]rawSpread) {
		require.Len(t, spread.Raw, 2)
		require.Positive(t, spread.Raw[1].Commands[0])
		require.Positive(t, spread.Ledger.Pairs[0])
	}
	require.Contains(t, out.String(), "everything verifies")
}

func TestBenchBulk(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchBulkCmd{
		Spreads: []string{"uniform", "hot"}, Accounts: 20, Size: 8, Commands: 500, Clients: 2, Round: shortRound, Rounds: 2,
	}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	for _, spread := range found.([]bulkResult) {
		require.Positive(t, spread.Raw[1])
		require.Positive(t, spread.Bulk[1])
	}
	require.Contains(t, out.String(), "everything verifies")
}

func TestBenchReplay(t *testing.T) {
	t.Parallel()
	b, _ := newBench(t)
	c := benchReplayCmd{Events: 3000, Accounts: 20}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	result := found.(replayResult)
	require.EqualValues(t, 3000, result.Events)
	require.Len(t, result.Resident, replayQuarters+1)
}

func TestBenchCold(t *testing.T) {
	t.Parallel()
	b, _ := newBench(t)
	c := benchColdCmd{Events: 3000, Starts: 2, Whole: 1}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	results := found.([]ledgerbench.Cold)
	require.Len(t, results, 2)
	require.Len(t, results[0].First, 2)
	var snapshots, version int64
	require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT count(*), max(version) FROM ledger.snapshots`).
		Scan(&snapshots, &version))
	require.EqualValues(t, 1, snapshots)
	require.EqualValues(t, 2760, version, "the cold starts went on from the snapshot and made no other")
	require.NoError(t, verify(t.Context(), b.parts, false, b.out))
}

func TestBenchOutbox(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchOutboxCmd{Events: 3000, Accounts: 40, Rounds: 2}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	result := found.(outboxResult)
	require.GreaterOrEqual(t, result.Events, int64(3000))
	require.Len(t, result.Rates, 2)
	require.Positive(t, result.Rates[1])
	require.Contains(t, out.String(), "embedded broker")
	topics, err := kafka.NewAdmin(b.kafka).Lag(t.Context(), "none", "pingvas.events")
	require.Error(t, err, "nobody's topics are touched: %v", topics)
}

func TestBenchShare(t *testing.T) {
	t.Parallel()
	b, out := newBench(t)
	c := benchShareCmd{Clients: 8, Spreads: []string{"uniform", "hot"}, Accounts: 20, Round: 4 * shortRound, Rounds: 1}
	found, err := c.measure(t.Context(), b)
	require.NoError(t, err)
	for _, s := range found.([]ledgerbench.Share) {
		require.Positive(t, s.Together)
		require.InDelta(t, 100, s.Shares[0]+s.Shares[1], 1e-6)
	}
	require.Contains(t, out.String(), "everything verifies")
}

func TestBenchDev(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := benchDevCmd{Every: 5 * shortRound, Rate: 100, Clients: 4, Accounts: 10}
	readings, err := c.measure(t.Context(), quiet(), &out, 10*shortRound)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(readings), 2)
	require.Positive(t, readings[1].Latency.Reserves)
	require.Contains(t, out.String(), "resident")
}

func TestBenchWritesItsFigures(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "figures.json")
	require.NoError(t, benchOutput{JSON: path}.write("bench x", []ledgerbench.Result{{Target: "naive"}}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var report struct {
		Command string
		Results []ledgerbench.Result
	}
	require.NoError(t, json.Unmarshal(text, &report))
	require.Equal(t, "bench x", report.Command)
	require.Equal(t, "naive", report.Results[0].Target)
}

func TestBenchWorkerMeasuresBothSidesOfTheEngine(t *testing.T) {
	t.Parallel()
	c := benchWorkerCmd{Jobs: 3, Every: time.Millisecond, Step: time.Millisecond}
	out, err := c.measure(t.Context(), quiet(), io.Discard)
	require.NoError(t, err)
	require.Equal(t, 3, out.Jobs)
	for _, part := range []overheadPart{out.Before, out.After} {
		require.Positive(t, part.P50)
		require.LessOrEqual(t, part.P50, part.P95)
		require.LessOrEqual(t, part.P95, part.Max)
	}
}
