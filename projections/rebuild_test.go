package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
)

// reader asks a view again and again while it is rebuilt.
type reader struct{ b *bundle }

// look reads one snapshot and checks that the rows are those of the position it names.
func (r *reader) look(t *testing.T, shard int, last int64) int64 {
	at := last
	var schema string
	progress := []projections.Progress{projections.ProgressOf(r.b.view, nil)}
	err := projections.ReadSystem(t.Context(), r.b.cfg.Pool, progress, func(s projections.Snapshot) error {
		var n int64
		err := s.QueryRow(t.Context(), `SELECT coalesce((SELECT pos FROM projections.checkpoints
			JOIN projections.views USING (projection, version, build) WHERE state = 'live' AND shard = $1), -1),
			coalesce((SELECT n FROM counts WHERE shard = $1), 0), current_setting('search_path')`, shard).
			Scan(&at, &n, &schema)
		if err != nil {
			return err
		}
		if want := r.b.handled(t, shard, at); n != want {
			return fmt.Errorf("%s says %d at %d:%d, not %d", schema, n, shard, at, want)
		}
		return nil
	})
	if err != nil {
		t.Errorf("read: %v", err)
		return at
	}
	if at < last {
		t.Errorf("shard %d of %s went back from %d to %d", shard, schema, last, at)
	}
	return at
}

// handled counts the events that the view handles up to a position.
func (b *bundle) handled(t *testing.T, shard int, upTo int64) (n int64) {
	if upTo == 0 {
		return 0
	}
	events, err := b.Ledger.ReadShard(t.Context(), shard, 0, projections.PageMax)
	if err != nil {
		t.Error(err)
	}
	for _, e := range events {
		if e.Pos <= upTo && b.view.Handles(e.Type) {
			n++
		}
	}
	return n
}

// TestARebuildUnderTraffic rebuilds a view several times while events come in, two runners keep it and readers check
// every answer.
func TestARebuildUnderTraffic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stopFirst, stopSecond := projectiontest.Live(t, b.cfg), projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	before := projectiontest.Schema(t, b.cfg.Pool, b.view)
	done := make(chan struct{})
	readers := make(chan struct{}, projectiontest.Shards)
	r := &reader{b: b}
	for shard := range projectiontest.Shards {
		go func() {
			for last := int64(0); ; {
				select {
				case <-t.Context().Done():
					return
				case <-done:
					readers <- struct{}{}
					return
				default:
					last = r.look(t, shard, last)
				}
			}
		}()
	}
	traffic := make(chan struct{})
	go func() {
		defer close(traffic)
		for range 60 {
			b.Play(10)
			time.Sleep(time.Millisecond) // so that the traffic lasts as long as the rebuilds
		}
	}()
	for range 3 {
		var told atomic.Int64
		rebuild := projections.Rebuild{Config: b.cfg, Progress: func(done, _ int64) { told.Store(done) }}
		_, err := rebuild.Run(t.Context())
		require.NoError(t, err)
		require.Positive(t, told.Load())
	}
	<-traffic
	projectiontest.WaitAll(t, b.cfg)
	close(done)
	for range projectiontest.Shards {
		<-readers
	}
	stopFirst()
	stopSecond()
	b.requireCounted(t, b.cfg.Pool)
	require.NotEqual(t, before, projectiontest.Schema(t, b.cfg.Pool, b.view))
	status, err := projections.StatusOf(t.Context(), b.cfg.Pool, b.view)
	require.NoError(t, err)
	require.Len(t, status.Copies, 1, "the replaced builds are gone")
	require.Equal(t, projections.Live, status.Copies[0].State)
	require.Equal(t, 4, status.Copies[0].Build)
}

func TestARebuildThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	before := projectiontest.Schema(t, b.cfg.Pool, b.view)
	broken := errors.New("a mistake in the view")
	b.view.fail.Store(&broken)
	_, err := (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
	var failure *projections.EventError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, before, projectiontest.Schema(t, b.cfg.Pool, b.view))
	b.requireCounted(t, b.cfg.Pool)
	status, err := projections.StatusOf(t.Context(), b.cfg.Pool, b.view)
	require.NoError(t, err)
	require.Len(t, status.Copies, 1)
}

func TestOneRebuildAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	var second error
	first := projections.Rebuild{Config: b.cfg, Progress: func(int64, int64) {
		if second == nil {
			_, second = (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
		}
	}}
	_, err := first.Run(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, second, projections.ErrRebuilding)
}

// TestAKilledRebuildIsClearedAway leaves a build that nobody goes on with.
func TestAKilledRebuildIsClearedAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	killed := projections.Rebuild{Config: b.cfg, Progress: func(int64, int64) { cancel() }}
	_, err := killed.Run(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
	require.NoError(t, err)
	status, err := projections.StatusOf(t.Context(), b.cfg.Pool, b.view)
	require.NoError(t, err)
	require.Len(t, status.Copies, 1)
	b.requireCounted(t, b.cfg.Pool)
}

// pausing stands still once, after the rows are written and before the transaction commits.
type pausing struct {
	*counter
	paused  atomic.Bool
	entered chan struct{}
	resume  chan struct{}
}

// Apply implements projections.Projection.
func (p *pausing) Apply(ctx context.Context, tx pgx.Tx, batch []projections.Event) error {
	if err := p.counter.Apply(ctx, tx, batch); err != nil {
		return err
	}
	if p.paused.CompareAndSwap(false, true) {
		close(p.entered)
		<-p.resume
	}
	return nil
}

// TestAPausedRunnerChangesNothingWhenItWakes pauses a runner before its commit. Another takes over as soon as Postgres
// has taken the locks away, and what the first one wakes up to is refused.
func TestAPausedRunnerChangesNothingWhenItWakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	zombie := &pausing{counter: b.view, entered: make(chan struct{}), resume: make(chan struct{})}
	paused := b.cfg
	paused.Projection, paused.HoldMax, paused.Parallel = zombie, 100*time.Millisecond, 1
	stopZombie := projectiontest.Live(t, paused)
	<-zombie.entered
	projectiontest.CatchUp(t, b.cfg)
	b.requireCounted(t, b.cfg.Pool)
	close(zombie.resume)
	b.Play(100)
	projectiontest.WaitAll(t, paused)
	stopZombie()
	b.requireCounted(t, b.cfg.Pool)
}

// slowLedger stands still once, after the events are read and before anything is written.
type slowLedger struct {
	projections.Ledger
	paused  atomic.Bool
	entered chan struct{}
	resume  chan struct{}
}

// ReadShard implements projections.Ledger.
func (l *slowLedger) ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error) {
	batch, err := l.Ledger.ReadShard(ctx, shard, after, limit)
	if l.paused.CompareAndSwap(false, true) {
		close(l.entered)
		<-l.resume
	}
	return batch, err
}

func TestARunnerPausedAfterReadingIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ledger := &slowLedger{Ledger: b.Ledger, entered: make(chan struct{}), resume: make(chan struct{})}
	paused := b.cfg
	paused.Ledger = ledger
	stopZombie := projectiontest.Live(t, paused)
	<-ledger.entered
	projectiontest.CatchUp(t, b.cfg)
	close(ledger.resume)
	b.Play(100)
	projectiontest.WaitAll(t, b.cfg)
	stopZombie()
	b.requireCounted(t, b.cfg.Pool)
}

// alias is a sink that can stand beside another.
type alias struct {
	*counter
	name    string
	current *atomic.Pointer[string]
	made    *[]string
}

func newAlias(view *counter) *alias {
	first := "index 1"
	a := &alias{counter: view, current: &atomic.Pointer[string]{}, made: &[]string{first}}
	a.current.Store(&first)
	return a
}

func (a *alias) SinkID(context.Context) (string, error) {
	if a.name != "" {
		return a.name, nil
	}
	return *a.current.Load(), nil
}
func (a *alias) Clear(context.Context) error  { return nil }
func (a *alias) Rows() projections.Projection { return a.counter }
func (a *alias) Beside(_ context.Context, build int) (projections.Swappable, error) {
	beside := *a
	beside.name = fmt.Sprintf("index %d", build)
	*a.made = append(*a.made, beside.name)
	return &beside, nil
}
func (a *alias) Swap(context.Context) error {
	a.current.Store(&a.name)
	return nil
}
func (a *alias) Discard(context.Context) error {
	*a.made = slices.DeleteFunc(*a.made, func(name string) bool { return name == a.name })
	return nil
}

func TestASinkIsSwappedWithItsRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sink := newAlias(b.view)
	b.cfg.Projection = sink
	stop := projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	_, err := (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
	require.NoError(t, err)
	id, err := sink.SinkID(t.Context())
	require.NoError(t, err)
	require.Equal(t, "index 2", id)
	b.Play(100)
	projectiontest.WaitAll(t, b.cfg)
	stop()
	b.requireCounted(t, b.cfg.Pool)

	broken := errors.New("a mistake in the view")
	b.view.fail.Store(&broken)
	_, err = (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
	require.Error(t, err)
	require.Equal(t, []string{"index 1", "index 2"}, *sink.made)
}

// fixedSink is a sink that cannot stand beside another.
type fixedSink struct{ *counter }

func (fixedSink) SinkID(context.Context) (string, error) { return "the only one", nil }
func (fixedSink) Clear(context.Context) error            { return nil }
func (f fixedSink) Rows() projections.Projection         { return f.counter }

func TestAFixedSinkIsNotRebuiltBesideItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Projection = fixedSink{b.view}
	_, err := (&projections.Rebuild{Config: b.cfg}).Run(t.Context())
	require.ErrorIs(t, err, projections.ErrInPlace)
}

// TestANewVersionIsBuiltBesideTheOld runs programs of two versions at once, as in a rolling restart.
func TestANewVersionIsBuiltBesideTheOld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stopOld := projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	next := b.cfg
	view := &counter{more: 1}
	next.Projection = view
	down := errors.New("the engine is down")
	var held error = &projections.TransientError{Err: down}
	view.fail.Store(&held)
	stopNew := projectiontest.Live(t, next)
	require.Eventually(t, b.hasStopped, within, time.Millisecond)
	_, err := projections.LiveCopy(t.Context(), b.cfg.Pool, view)
	require.ErrorContains(t, err, "still being built")
	b.Play(100)
	projectiontest.WaitAll(t, b.cfg)
	b.requireCounted(t, b.cfg.Pool)
	view.fail.Store(nil)
	projectiontest.WaitAll(t, next)
	projectiontest.WaitAll(t, b.cfg)
	stopOld()

	require.NoError(t, projections.Sweep(t.Context(), b.cfg.Pool, view))
	_, err = projections.LiveCopy(t.Context(), b.cfg.Pool, b.view)
	require.NoError(t, err, "it was in use a moment ago")
	b.age(t)
	require.NoError(t, projections.Keep(t.Context(), b.cfg.Pool, b.view))
	require.NoError(t, projections.Sweep(t.Context(), b.cfg.Pool, view))
	_, err = projections.LiveCopy(t.Context(), b.cfg.Pool, b.view)
	require.NoError(t, err, "a process has said that it uses it")
	b.age(t)
	require.NoError(t, projections.Sweep(t.Context(), b.cfg.Pool, view))
	_, err = projections.LiveCopy(t.Context(), b.cfg.Pool, b.view)
	require.Error(t, err)
	_, err = projections.LiveCopy(t.Context(), b.cfg.Pool, view)
	require.NoError(t, err, "the newest version stays")
	stopNew()
}

// age makes all copies look as if nobody had used them for long.
func (b *bundle) age(t *testing.T) {
	t.Helper()
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE projections.views SET used_at = now() - $1::interval`,
			2*projections.UnusedGrace)
		return err
	})
}
