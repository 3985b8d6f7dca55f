package projections_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within is when a test is told that something does not happen.
const within = 20 * time.Second

// never is an interval of polling that no test waits for.
const never = time.Hour

// counter counts events: applying one twice or not at all shows.
type counter struct {
	ddl  string
	more int                   // above version 1
	fail atomic.Pointer[error] // what Apply answers
}

func (c *counter) Name() string          { return "counter" }
func (c *counter) Version() int          { return 1 + c.more }
func (c *counter) Handles(t string) bool { return !strings.HasPrefix(t, "image.") }

func (c *counter) OperatorTables() []string { return []string{"counts"} }

func (c *counter) Schema() string {
	return c.ddl + `CREATE TABLE counts (shard integer PRIMARY KEY, n bigint NOT NULL, sum bigint NOT NULL)`
}

func (c *counter) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	for _, e := range batch {
		_, err := tx.Exec(ctx, `INSERT INTO counts AS c VALUES ($1, 1, $2)
			ON CONFLICT (shard) DO UPDATE SET n = c.n + 1, sum = c.sum + excluded.sum`, e.Shard, e.Pos)
		if err != nil {
			return err
		}
	}
	if err := c.fail.Load(); err != nil {
		return *err
	}
	return nil
}

// observer remembers what it is told.
type observer struct {
	mu      sync.Mutex
	applied int
	lag     map[int]int64
	stopped []error
	parked  []int64
}

func (o *observer) Applied(_ string, _, events int)  { o.with(func() { o.applied += events }) }
func (o *observer) Lag(_ string, shard int, n int64) { o.with(func() { o.lag[shard] = n }) }
func (o *observer) Stopped(_ string, _ int, e error) {
	o.with(func() { o.stopped = append(o.stopped, e) })
}
func (o *observer) Parked(_ string, _ int, p int64) {
	o.with(func() { o.parked = append(o.parked, p) })
}

func (o *observer) with(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	do()
}

type bundle struct {
	*projectiontest.History
	cfg      projections.Config
	view     *counter
	observer *observer
}

func setup(t *testing.T) *bundle {
	t.Helper()
	h := projectiontest.NewHistory(t, 50, 4)
	h.Play(100)
	view, watch := &counter{}, &observer{lag: map[int]int64{}}
	return &bundle{History: h, view: view, observer: watch, cfg: projections.Config{
		Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: projectiontest.Database(t), Projection: view,
		Signal: &projections.Signal{}, Observer: watch, Strict: true,
	}}
}

// run starts a runner without polling and returns how to stop it.
func run(t *testing.T, cfg projections.Config) (stop func()) {
	t.Helper()
	runner, err := projections.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// requireCounted checks that every event of every shard was applied once.
func (b *bundle) requireCounted(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	for shard := range projectiontest.Shards {
		events, err := b.Ledger.ReadShard(t.Context(), shard, 0, projections.PageMax)
		require.NoError(t, err)
		var want, wantSum, n, sum int64
		for _, e := range events {
			if b.view.Handles(e.Type) {
				want, wantSum = want+1, wantSum+e.Pos
			}
		}
		schema := projectiontest.Schema(t, pool, b.view)
		projectiontest.AsOwner(t, pool, func(tx pgx.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT coalesce(sum(n), 0), coalesce(sum(sum), 0) FROM `+schema+`.counts
				WHERE shard = $1`, shard).Scan(&n, &sum)
		})
		require.Equal(t, want, n)
		require.Equal(t, wantSum, sum)
	}
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := projections.New(projections.Config{Parallel: -1, Page: projections.PageMax + 1, Poll: -1})
	for _, part := range []string{"needs a ledger", "-1 shards", "5001 events", "poll interval"} {
		require.ErrorContains(t, err, part)
	}
}

func TestPollingFindsEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	b.Play(100)
	projectiontest.WaitAll(t, b.cfg)
	heads, err := b.Ledger.Heads(t.Context())
	require.NoError(t, err)
	total := 0
	for _, head := range heads {
		total += int(head.Pos)
	}
	// The rows can be seen a moment before the runner knows of its commit; stopped in between it would not tell.
	require.Eventually(t, func() (all bool) {
		b.observer.with(func() { all = b.observer.applied == total })
		return all
	}, within, time.Millisecond)
	stop()
	b.requireCounted(t, b.cfg.Pool)
	b.observer.with(func() {
		require.Equal(t, total, b.observer.applied)
		require.Empty(t, b.observer.stopped)
	})
}

func TestTheFeedIsEnough(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := make(projectiontest.Feed)
	b.cfg.Feed, b.cfg.Poll = feed, never
	stop := run(t, b.cfg)
	require.Eventually(t, func() bool { return b.isSetUp(t) }, within, time.Millisecond)
	projectiontest.WaitAll(t, b.cfg)
	for range 20 {
		before, err := b.Ledger.Heads(t.Context())
		require.NoError(t, err)
		b.Play(5)
		for shard, head := range before {
			batch, err := b.Ledger.ReadShard(t.Context(), shard, head.Pos, projections.PageMax)
			require.NoError(t, err)
			feed <- batch
		}
		projectiontest.WaitAll(t, b.cfg)
	}
	feed <- []eventstore.Envelope{{Shard: 99, Pos: 1}}
	feed <- nil
	stop()
	b.requireCounted(t, b.cfg.Pool)
}

func (b *bundle) isSetUp(t *testing.T) bool {
	var n int
	err := b.cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM projections.checkpoints`).Scan(&n)
	return err == nil && n == projectiontest.Shards
}

// TestAStaleRunnerIsFenced lets one runner move on while another still believes in its old position.
func TestAStaleRunnerIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := make(projectiontest.Feed)
	stale := b.cfg
	stale.Feed, stale.Poll = feed, never
	stopStale := run(t, stale)
	require.Eventually(t, func() bool { return b.isSetUp(t) }, within, time.Millisecond)
	projectiontest.WaitAll(t, stale)
	before, err := b.Ledger.Heads(t.Context())
	require.NoError(t, err)
	b.Play(200)
	projectiontest.CatchUp(t, b.cfg)
	for shard, head := range before {
		batch, err := b.Ledger.ReadShard(t.Context(), shard, head.Pos, 3)
		require.NoError(t, err)
		feed <- batch // it is what the stale runner expects, and was applied by the other
	}
	after, err := b.Ledger.Heads(t.Context())
	require.NoError(t, err)
	b.Play(50)
	for shard, head := range after {
		batch, err := b.Ledger.ReadShard(t.Context(), shard, head.Pos, projections.PageMax)
		require.NoError(t, err)
		feed <- batch
	}
	projectiontest.WaitAll(t, stale)
	stopStale()
	b.requireCounted(t, b.cfg.Pool)
}

func TestAStrictViewGoesOnWhenItIsRepaired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := errors.New("a mistake in the view")
	b.view.fail.Store(&broken)
	stop := projectiontest.Live(t, b.cfg)
	require.Eventually(t, func() bool {
		var stopped int
		b.observer.with(func() { stopped = len(b.observer.stopped) })
		return stopped > projectiontest.Shards
	}, within, time.Millisecond)
	var failures int
	err := b.cfg.Pool.QueryRow(t.Context(), `SELECT coalesce(max(failures), 0) FROM projections.checkpoints
		WHERE stopped_since IS NOT NULL AND failure LIKE '%a mistake in the view%' AND pos = 0`).Scan(&failures)
	require.NoError(t, err)
	require.Positive(t, failures)
	b.view.fail.Store(nil)
	projectiontest.WaitAll(t, b.cfg)
	stop()
	b.requireCounted(t, b.cfg.Pool)
	var stopped int
	err = b.cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM projections.checkpoints
		WHERE stopped_since IS NOT NULL OR failure IS NOT NULL OR failures > 0`).Scan(&stopped)
	require.NoError(t, err)
	require.Zero(t, stopped, "a good start clears the failure")
	b.observer.with(func() {
		var failure *projections.EventError
		require.ErrorAs(t, b.observer.stopped[0], &failure)
	})
}

func TestTransientFailuresAreNotParked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Strict = false
	var down error = &projections.TransientError{Err: errors.New("the engine is down")}
	b.view.fail.Store(&down)
	b.Ledger.Fail(errors.New("the ledger is down"))
	require.NoError(t, projections.Setup(t.Context(), b.cfg.Pool, b.view, projectiontest.Shards))
	stop := run(t, b.cfg)
	stopped := func(what string) func() bool {
		return func() (found bool) {
			b.observer.with(func() {
				for _, err := range b.observer.stopped {
					found = found || strings.Contains(err.Error(), what)
				}
			})
			return found
		}
	}
	require.Eventually(t, stopped("the ledger is down"), within, time.Millisecond)
	b.Ledger.Fail(nil)
	require.Eventually(t, stopped("the engine is down"), within, time.Millisecond)
	gone := fmt.Errorf("insert: %w", pgconn.ErrConnClosed)
	b.view.fail.Store(&gone)
	require.Eventually(t, stopped("conn closed"), within, time.Millisecond)
	b.view.fail.Store(nil)
	projectiontest.WaitAll(t, b.cfg)
	stop()
	b.requireCounted(t, b.cfg.Pool)
	b.observer.with(func() { require.Empty(t, b.observer.parked) })
}

// keyless fails to decode as if the keys were out of reach.
type keyless struct {
	projections.Decoder
	down atomic.Bool
}

func (k *keyless) Decode(ctx context.Context, e eventstore.Envelope) (domain.Event, error) {
	if k.down.Load() {
		return nil, fmt.Errorf("unseal %s: %w", e.Type, &eventstore.KeyError{Err: errors.New("no key")})
	}
	return k.Decoder.Decode(ctx, e)
}

func TestKeysOutOfReachParkNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Strict = false
	keys := &keyless{Decoder: b.cfg.Decoder}
	keys.down.Store(true)
	b.cfg.Decoder = keys
	stop := projectiontest.Live(t, b.cfg)
	require.Eventually(t, func() (stopped bool) {
		b.observer.with(func() { stopped = len(b.observer.stopped) > 0 })
		return stopped
	}, within, time.Millisecond)
	keys.down.Store(false)
	projectiontest.WaitAll(t, b.cfg)
	stop()
	b.requireCounted(t, b.cfg.Pool)
}
