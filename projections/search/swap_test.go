package search_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/searchtest"
)

// watched tells how far the view was when its index was swapped in.
type watched struct {
	*searchtest.Memory
	swaps chan map[int]int64
	cfg   *projections.Config
}

func (w watched) Swap(ctx context.Context, id string) error {
	positions, err := projections.Filled(ctx, w.cfg.Pool, search.New(w), id)
	if err == nil && len(positions) > 0 {
		w.swaps <- positions
	}
	return w.Memory.Swap(ctx, id)
}

// An index answers as soon as it has caught up, and not before: on a new ledger, after a rebuild, and under traffic.
func TestAnIndexAnswersWhenItHasCaughtUp(t *testing.T) {
	t.Parallel()
	var cfg projections.Config
	engine := watched{&searchtest.Memory{}, make(chan map[int]int64, 10), &cfg}
	cfg, h := config(t, engine)
	ctx, cancel := context.WithCancel(t.Context())
	swapper := search.Swapper{Engine: engine, Pool: cfg.Pool, Ledger: h.Ledger}
	done := make(chan error, 1)
	go func() { done <- swapper.Run(ctx) }()
	for range 2 {
		heads, err := h.Ledger.Heads(ctx)
		require.NoError(t, err)
		require.NoError(t, projections.Setup(ctx, cfg.Pool, cfg.Projection, projectiontest.Shards))
		require.False(t, engine.Swapped())
		stop := projectiontest.Live(t, cfg)
		select {
		case positions := <-engine.swaps:
			for shard, head := range heads {
				require.GreaterOrEqual(t, positions[shard], head.Pos)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the index never answered")
		}
		require.Eventually(t, engine.Swapped, time.Second, time.Millisecond)
		stop()
		h.Play(50)
		engine.Lose() // the next start builds it again
	}
	cancel()
	require.NoError(t, <-done)
}
