package projections_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/projectiontest"
)

func TestASchemaDoesNotChangeWithinAVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	changed := &counter{ddl: "CREATE TABLE more (shard integer);"}
	err := projections.Setup(t.Context(), b.cfg.Pool, changed, projectiontest.Shards)
	require.ErrorContains(t, err, "without a new version")
	require.NoError(t, projections.Drop(t.Context(), b.cfg.Pool, changed))
	require.NoError(t, projections.Setup(t.Context(), b.cfg.Pool, changed, projectiontest.Shards))
}

func TestManySetUpsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			errs[i] = projections.Setup(context.Background(), b.cfg.Pool, b.view, projectiontest.Shards)
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestADroppedViewIsBuiltAgainByItsRunner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	require.NoError(t, projections.Drop(t.Context(), b.cfg.Pool, b.view))
	// Nothing more happens in the ledger: runners find out by themselves.
	require.Eventually(t, func() bool { return b.isSetUp(t) }, within, time.Millisecond)
	projectiontest.WaitAll(t, b.cfg)
	stop()
	b.requireCounted(t, b.cfg.Pool)
}

// TestALostSchemaParksNothing covers an operator who drops the tables of a view and nothing else.
func TestALostSchemaParksNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Strict = false
	stop := projectiontest.Live(t, b.cfg)
	projectiontest.WaitAll(t, b.cfg)
	schema := projectiontest.Schema(t, b.cfg.Pool, b.view)
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), "DROP SCHEMA "+schema+" CASCADE")
		return err
	})
	b.Play(20)
	require.Eventually(t, b.hasStopped, within, time.Millisecond)
	stop()
	projectiontest.CatchUp(t, b.cfg)
	b.requireCounted(t, b.cfg.Pool)
	b.observer.with(func() { require.Empty(t, b.observer.parked) })
}

func (b *bundle) hasStopped() (stopped bool) {
	b.observer.with(func() { stopped = len(b.observer.stopped) > 0 })
	return stopped
}

func TestWaitFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, projections.Setup(t.Context(), b.cfg.Pool, b.view, projectiontest.Shards))
	for _, signal := range []*projections.Signal{nil, b.cfg.Signal} {
		progress := projections.ProgressOf(b.view, signal)
		ok, err := progress.WaitFor(t.Context(), b.cfg.Pool, eventstore.Position{Pos: 1}, 10*time.Millisecond)
		require.NoError(t, err)
		require.False(t, ok)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = progress.WaitFor(ended, b.cfg.Pool, eventstore.Position{Pos: 1}, within)
		require.ErrorIs(t, err, context.Canceled)
	}
	projectiontest.CatchUp(t, b.cfg)
	elsewhere := projections.ProgressOf(b.view, nil)
	ok, err := elsewhere.WaitFor(t.Context(), b.cfg.Pool, eventstore.Position{Pos: 0}, within)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Page = 10
	projectiontest.CatchUp(t, b.cfg)
	var reached []eventstore.Position
	verifier := projections.Verifier{
		Ledger: b.Ledger, Decoder: b.Ledger.Codec, Pool: b.cfg.Pool, Projection: b.view,
		Progress: func(at eventstore.Position, of int64) {
			require.LessOrEqual(t, at.Pos, of)
			reached = append(reached, at)
		},
	}
	results, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	for _, r := range results {
		require.True(t, r.Equal())
	}
	require.NotEmpty(t, reached)
	shard := reached[0].Shard
	schema := projectiontest.Schema(t, b.cfg.Pool, b.view)
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE `+schema+`.counts SET n = n + 1 WHERE shard = $1`, shard)
		return err
	})
	results, err = verifier.Verify(t.Context())
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, r.Position.Shard != shard, r.Equal())
	}
	var left int
	err = b.cfg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%verify'`).Scan(&left)
	require.NoError(t, err)
	require.Zero(t, left)
}

func TestOneVerificationAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	second := projections.Verifier{Ledger: b.Ledger, Decoder: b.Ledger.Codec, Pool: b.cfg.Pool, Projection: b.view}
	first, calls := second, 0
	first.Progress = func(eventstore.Position, int64) {
		calls++
		_, err := second.Verify(t.Context())
		require.ErrorIs(t, err, projections.ErrVerifying)
	}
	_, err := first.Verify(t.Context())
	require.NoError(t, err)
	require.Positive(t, calls)
}

func TestDigestsArePublishedWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.CatchUp(t, b.cfg)
	for _, c := range []struct {
		every time.Duration
		due   bool
	}{{time.Hour, true}, {time.Hour, false}, {0, true}} {
		due, err := projections.PublishDue(t.Context(), b.cfg.Pool, b.view, projectiontest.Shards, c.every)
		require.NoError(t, err)
		require.Equal(t, c.due, due)
	}
	verifier := projections.Verifier{Ledger: b.Ledger, Decoder: b.Ledger.Codec, Pool: b.cfg.Pool, Projection: b.view}
	results, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, r.Replayed, r.Published.Digest)
	}
}

func TestAPublishedDigestIsVerified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.cfg.Page = 10
	projectiontest.CatchUp(t, b.cfg)
	list, err := projections.Publish(t.Context(), b.cfg.Pool, b.view, projectiontest.Shards)
	require.NoError(t, err)
	b.Play(100)
	projectiontest.CatchUp(t, b.cfg)
	verifier := projections.Verifier{Ledger: b.Ledger, Decoder: b.Ledger.Codec, Pool: b.cfg.Pool, Projection: b.view}
	results, err := verifier.Verify(t.Context())
	require.NoError(t, err)
	moved := 0
	for shard, r := range results {
		require.True(t, r.Equal())
		require.Equal(t, list[shard].Digest, r.ReplayedThen)
		if r.Position.Pos > r.Published.Position.Pos {
			moved++
		}
	}
	require.Positive(t, moved)
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `UPDATE projections.digests SET digest = sha256('x') WHERE shard = 1`)
		return err
	})
	results, err = verifier.Verify(t.Context())
	require.NoError(t, err)
	for shard, r := range results {
		require.Equal(t, shard != 1, r.Equal())
	}
}

// TestAnOlderLayoutIsBroughtAlong begins with what an older program has made: it goes on to work, and so does ours.
func TestAnOlderLayoutIsBroughtAlong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `DROP SCHEMA projections CASCADE; CREATE SCHEMA projections;
			CREATE TABLE projections.views (projection text, version integer, schema_hash text NOT NULL,
				sink_id text NOT NULL, PRIMARY KEY (projection, version));
			CREATE TABLE projections.checkpoints (projection text, version integer, shard integer, pos bigint NOT NULL,
				stopped_since timestamptz, failure text, failures integer NOT NULL DEFAULT 0,
				PRIMARY KEY (projection, version, shard));
			CREATE TABLE projections.dead_letters (projection text, version integer, shard integer, pos bigint,
				type text NOT NULL, failure text NOT NULL, parked_at timestamptz NOT NULL DEFAULT now(),
				PRIMARY KEY (projection, version, shard, pos));
			INSERT INTO projections.views VALUES ('counter', 1, '', '');
			INSERT INTO projections.checkpoints SELECT 'counter', 1, shard, 7 FROM generate_series(0, 2) AS shard`)
		return err
	})
	projectiontest.AsOwner(t, b.cfg.Pool, func(pgx.Tx) error { return projections.Migrate(t.Context(), b.cfg.Pool) })
	projectiontest.AsOwner(t, b.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `INSERT INTO projections.views (projection, version, schema_hash, sink_id)
			VALUES ('counter', 1, '', '') ON CONFLICT DO NOTHING;
			UPDATE projections.checkpoints SET pos = 8 WHERE projection = 'counter' AND version = 1 AND shard = 0 AND pos = 7`)
		return err
	})
	projectiontest.CatchUp(t, b.cfg)
	b.requireCounted(t, b.cfg.Pool)
}
