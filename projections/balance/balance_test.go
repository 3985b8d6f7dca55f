package balance_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestView(t *testing.T) {
	t.Parallel()
	projectiontest.Run(t, func() projections.Projection { return balance.New() })
}

// BenchmarkCatchUp rebuilds the view from a ledger in memory.
func BenchmarkCatchUp(b *testing.B) {
	h := projectiontest.NewHistory(b, 1, 20)
	h.Play(5000)
	cfg := projections.Config{
		Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: projectiontest.Database(b), Projection: balance.New(),
		Signal: &projections.Signal{},
	}
	heads, err := h.Ledger.Heads(b.Context())
	require.NoError(b, err)
	var events int64
	for _, head := range heads {
		events += head.Pos
	}
	for b.Loop() {
		projectiontest.CatchUp(b, cfg)
		b.StopTimer()
		require.NoError(b, projections.Drop(b.Context(), cfg.Pool, cfg.Projection))
		b.StartTimer()
	}
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
