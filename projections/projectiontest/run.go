package projectiontest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/internal/pgtest"
	"github.com/pingvas/pingvas/projections"
)

const (
	// caughtUpWithin is when a test is told that a view does not come to the end of the ledger.
	caughtUpWithin = 20 * time.Second
	// pollInterval of runners in tests, which should not wait.
	pollInterval = 20 * time.Millisecond
	historySteps = 250
)

// Run checks what every view must keep. New is called once for every database.
func Run(t *testing.T, newView func() projections.Projection) {
	t.Helper()
	laws := map[string]func(*testing.T, projections.Projection){
		"what came live is what is rebuilt":             liveIsRebuilt,
		"what came twice changes nothing":               twiceIsOnce,
		"what was rolled back changes nothing":          rolledBack,
		"two runners do the work of one":                twoRunners,
		"an unknown event stops a strict view":          unknownStops,
		"an unknown event is parked by a tolerant view": unknownIsParked,
		"what was parked is replayed after a repair":    repaired,
	}
	for name, law := range laws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			law(t, newView())
		})
	}
}

// Database returns a database for views. Its connections begin as the application's role, as they do in production.
func Database(t testing.TB) *pgxpool.Pool {
	t.Helper()
	url := pgtest.URL(t, pgtest.Schema{})
	owner, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, projections.Migrate(t.Context(), owner))
	owner.Close()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	projections.As(config, projections.RoleApp)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// AsOwner runs SQL with the rights of the login, past all protection.
func AsOwner(t testing.TB, pool *pgxpool.Pool, do func(tx pgx.Tx) error) {
	t.Helper()
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT set_config('role', 'none', true)`); err != nil {
			return err
		}
		return do(tx)
	}))
}

// Schema returns the Postgres schema of the live copy of a view.
func Schema(t testing.TB, pool *pgxpool.Pool, p projections.Projection) string {
	t.Helper()
	c, err := projections.LiveCopy(t.Context(), pool, p)
	require.NoError(t, err)
	return c.Schema()
}

// CatchUp runs the projection until it knows all of the ledger.
func CatchUp(t testing.TB, cfg projections.Config) {
	t.Helper()
	stop := Live(t, cfg)
	WaitAll(t, cfg)
	stop()
}

// Live runs the projection until the returned function is called.
func Live(t testing.TB, cfg projections.Config) (stop func()) {
	t.Helper()
	cfg.Poll = pollInterval
	require.NoError(t, projections.Setup(t.Context(), cfg.Pool, cfg.Projection, cfg.Ledger.Shards()))
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

// WaitAll waits until the view knows all of the ledger.
func WaitAll(t testing.TB, cfg projections.Config) {
	t.Helper()
	heads, err := cfg.Ledger.Heads(t.Context())
	require.NoError(t, err)
	for shard, head := range heads {
		at := eventstore.Position{Shard: shard, Pos: head.Pos}
		ok, err := projections.ProgressOf(cfg.Projection, cfg.Signal).WaitFor(t.Context(), cfg.Pool, at, caughtUpWithin)
		require.NoError(t, err)
		require.True(t, ok, "the view %s did not come to %s", cfg.Projection.Name(), at)
	}
	require.Eventually(t, func() bool {
		_, err := projections.LiveCopy(t.Context(), cfg.Pool, cfg.Projection)
		return err == nil
	}, caughtUpWithin, time.Millisecond, "the view %s did not go live", cfg.Projection.Name())
}

// Digests returns the digest of every shard of a view.
func Digests(t testing.TB, pool *pgxpool.Pool, p projections.Projection) []eventstore.Hash {
	t.Helper()
	live, err := projections.LiveCopy(t.Context(), pool, p)
	require.NoError(t, err)
	digests := make([]eventstore.Hash, Shards)
	for shard := range digests {
		_, digests[shard], err = projections.DigestOf(t.Context(), pool, live, shard)
		require.NoError(t, err)
	}
	return digests
}

func config(t testing.TB, l *Ledger, p projections.Projection) projections.Config {
	return projections.Config{
		Ledger: l, Decoder: l.Codec, Pool: Database(t), Projection: p, Strict: true, Signal: &projections.Signal{},
	}
}

// Feed delivers what is sent on it.
type Feed chan []eventstore.Envelope

// Follow implements projections.Feed.
func (f Feed) Follow(
	ctx context.Context, handle func(context.Context, []eventstore.Envelope) error,
) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch := <-f:
			if err := handle(ctx, batch); err != nil {
				return err
			}
		}
	}
}

// liveIsRebuilt feeds a growing ledger with gaps and repetitions, then compares with a rebuild and a replay.
func liveIsRebuilt(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 1, 4)
	cfg := config(t, h.Ledger, p)
	feed := make(Feed)
	cfg.Feed = feed
	stop := Live(t, cfg)
	random := rand.New(rand.NewPCG(2, 2))
	var sent [Shards]int64
	for range 40 {
		h.Play(historySteps / 40)
		for shard := range Shards {
			from := max(0, sent[shard]-int64(random.IntN(4))+int64(random.IntN(2)))
			batch, err := h.Ledger.ReadShard(t.Context(), shard, from, 1+random.IntN(10))
			require.NoError(t, err)
			feed <- batch
			sent[shard] = from + int64(len(batch))
		}
	}
	WaitAll(t, cfg)
	stop()
	live := Digests(t, cfg.Pool, p)

	verifier := projections.Verifier{Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: cfg.Pool, Projection: p}
	results, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	require.Len(t, results, Shards)
	for _, r := range results {
		require.True(t, r.Equal(), "shard %d", r.Position.Shard)
		require.Equal(t, live[r.Position.Shard], r.Live)
	}

	require.NoError(t, projections.Drop(t.Context(), cfg.Pool, p))
	cfg.Feed, cfg.Page = nil, 1+random.IntN(9)
	CatchUp(t, cfg)
	require.Equal(t, live, Digests(t, cfg.Pool, p))
	require.NotEqual(t, live[0], live[1], "a digest that does not depend on the rows proves nothing")
}

func twiceIsOnce(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 3, 3)
	h.Play(historySteps)
	cfg := config(t, h.Ledger, p)
	CatchUp(t, cfg)
	once := Digests(t, cfg.Pool, p)
	feed := make(Feed)
	cfg.Feed = feed
	stop := Live(t, cfg)
	for shard := range Shards {
		all, err := h.Ledger.ReadShard(t.Context(), shard, 0, projections.PageMax)
		require.NoError(t, err)
		feed <- all
		feed <- all[len(all)/2:]
	}
	stop()
	require.Equal(t, once, Digests(t, cfg.Pool, p))
}

// crashing applies batches, but lets every other transaction fail after that.
type crashing struct {
	projections.Projection
	calls atomic.Int64
}

// Apply implements projections.Projection.
func (c *crashing) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	if err := c.Projection.Apply(ctx, tx, batch); err != nil {
		return err
	}
	if c.calls.Add(1)%2 == 1 {
		return &projections.TransientError{Err: errors.New("crashed before the commit")}
	}
	return nil
}

func rolledBack(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 4, 3)
	h.Play(historySteps)
	cfg := config(t, h.Ledger, p)
	CatchUp(t, cfg)
	whole := Digests(t, cfg.Pool, p)
	require.NoError(t, projections.Drop(t.Context(), cfg.Pool, p))
	cfg.Projection, cfg.Page = &crashing{Projection: p}, 100
	CatchUp(t, cfg)
	require.Equal(t, whole, Digests(t, cfg.Pool, p))
}

func twoRunners(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 5, 3)
	h.Play(historySteps)
	cfg := config(t, h.Ledger, p)
	CatchUp(t, cfg)
	alone := Digests(t, cfg.Pool, p)
	require.NoError(t, projections.Drop(t.Context(), cfg.Pool, p))
	cfg.Page = 5
	first, second := Live(t, cfg), Live(t, cfg)
	WaitAll(t, cfg)
	first()
	second()
	require.Equal(t, alone, Digests(t, cfg.Pool, p))
}

// appendUnknown puts an event of a type that nobody knows, but the view would handle, between known ones.
func appendUnknown(t *testing.T, h *History, p projections.Projection) eventstore.Position {
	name := "account.unheard_of.v1"
	if !p.Handles(name) {
		name = "generation.unheard_of.v1"
	}
	require.True(t, p.Handles(name), "the view must want new events of its streams, so that they are noticed")
	h.Play(historySteps)
	c := h.Accounts[0]
	at := h.Ledger.AppendRaw(t, c.ID, eventstore.NewEvent{
		Stream: eventstore.AccountStream(c.ID), Type: name, Data: []byte(`{}`),
	})
	h.Play(historySteps)
	return at
}

const sqlFailure = `SELECT pos, coalesce(failure, '') FROM projections.checkpoints WHERE projection = $1 AND shard = $2`

func unknownStops(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 6, 4)
	at := appendUnknown(t, h, p)
	cfg := config(t, h.Ledger, p)
	stop := Live(t, cfg)
	defer stop()
	before := eventstore.Position{Shard: at.Shard, Pos: at.Pos - 1}
	ok, err := projections.ProgressOf(p, cfg.Signal).WaitFor(t.Context(), cfg.Pool, before, caughtUpWithin)
	require.NoError(t, err)
	require.True(t, ok)
	var pos int64
	var failure string
	require.Eventually(t, func() bool {
		err := cfg.Pool.QueryRow(t.Context(), sqlFailure, p.Name(), at.Shard).Scan(&pos, &failure)
		return err == nil && failure != ""
	}, caughtUpWithin, pollInterval)
	require.Equal(t, before.Pos, pos, "the shard must stop right before the event")
	require.Contains(t, failure, "unheard_of")
}

func unknownIsParked(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 6, 4)
	at := appendUnknown(t, h, p)
	cfg := config(t, h.Ledger, p)
	cfg.Strict = false
	CatchUp(t, cfg)
	var parked eventstore.Position
	err := cfg.Pool.QueryRow(t.Context(), `SELECT shard, pos FROM projections.dead_letters WHERE projection = $1`,
		p.Name()).Scan(&parked.Shard, &parked.Pos)
	require.NoError(t, err)
	require.Equal(t, at, parked)
	verifier := projections.Verifier{Ledger: h.Ledger, Decoder: h.Ledger.Codec, Pool: cfg.Pool, Projection: p}
	results, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	for _, r := range results {
		require.True(t, r.Equal(), "a replay leaves out what was parked")
	}
}

// mistaken cannot apply some events until it is repaired.
type mistaken struct {
	projections.Projection
	at       map[eventstore.Position]bool
	repaired atomic.Bool
}

// Apply implements projections.Projection.
func (m *mistaken) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	for _, e := range batch {
		if m.at[e.Position()] && !m.repaired.Load() {
			return errors.New("a mistake in the view")
		}
	}
	return m.Projection.Apply(ctx, tx, batch)
}

func repaired(t *testing.T, p projections.Projection) {
	h := NewHistory(t, 8, 4)
	h.Play(historySteps)
	whole := config(t, h.Ledger, p)
	CatchUp(t, whole)
	want := Digests(t, whole.Pool, p)

	view := &mistaken{Projection: p, at: map[eventstore.Position]bool{}}
	for shard := range Shards {
		events, err := h.Ledger.ReadShard(t.Context(), shard, 0, projections.PageMax)
		require.NoError(t, err)
		for i := len(events) / 3; i < len(events); i += 7 {
			if p.Handles(events[i].Type) {
				view.at[events[i].Position()] = true
			}
		}
	}
	cfg := config(t, h.Ledger, view)
	cfg.Strict = false
	CatchUp(t, cfg)
	require.NotEqual(t, want, Digests(t, cfg.Pool, p))
	replay := projections.Replay{Config: cfg}
	done, err := replay.Run(t.Context())
	require.NoError(t, err)
	require.Zero(t, done.Applied)
	require.GreaterOrEqual(t, done.Left, len(view.at), "nothing was repaired yet")
	view.repaired.Store(true)
	done, err = replay.Run(t.Context())
	require.NoError(t, err)
	require.Zero(t, done.Left)
	require.GreaterOrEqual(t, done.Applied, len(view.at))
	require.Equal(t, want, Digests(t, cfg.Pool, p), "as if nothing had ever been parked")
}
