package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// waitMax is far above what any step takes; it only turns a hang into a failure.
const waitMax = 30 * time.Second

func TestCheckpointsMoveByCompareAndSet(t *testing.T) {
	t.Parallel()
	p := outbox.NewPostgres(pgtest.New(t, pgtest.Schema{}))
	setups := make(chan error)
	for range 5 {
		go func() { setups <- p.Setup(t.Context()) }()
	}
	for range 5 {
		require.NoError(t, <-setups)
	}
	for _, step := range []struct {
		from, to, at int64
		moved        bool
	}{
		{from: 3, to: 5, at: 0}, // there is no row
		{from: 0, to: 5, at: 5, moved: true},
		{from: 0, to: 7, at: 5},
		{from: 5, to: 9, at: 9, moved: true},
		{from: 9, to: 0, at: 0, moved: true},
		{from: 0, to: 1, at: 1, moved: true},
	} {
		err := p.Move(t.Context(), 2, step.from, step.to)
		if step.moved {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, outbox.ErrMoved)
		}
		at, err := p.Load(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, step.at, at)
	}
}

// leader runs Lead and tells when it leads and when it does not any more.
type leader struct {
	led  chan struct{}
	done chan error
}

func lead(ctx context.Context, p *outbox.Postgres, group int) leader {
	l := leader{make(chan struct{}), make(chan error, 1)}
	go func() {
		l.done <- p.Lead(ctx, group, func(ctx context.Context) error {
			close(l.led)
			<-ctx.Done()
			return nil
		})
	}()
	return l
}

func await[T any](t *testing.T, what string, signal <-chan T) T {
	t.Helper()
	select {
	case v := <-signal:
		return v
	case <-time.After(waitMax):
		require.FailNow(t, "did not happen: "+what)
		panic("unreachable")
	}
}

func TestOneLeadsAGroupUntilItEndsOrItsLeaseRunsOut(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, pgtest.Schema{})
	p := outbox.NewPostgres(pool)
	require.NoError(t, p.Setup(t.Context()))
	ctx, stop := context.WithCancel(t.Context())
	first := lead(ctx, p, 0)
	await(t, "the first leads", first.led)
	other := lead(ctx, p, 1)
	await(t, "another group has a leader of its own", other.led)
	second := lead(t.Context(), p, 0)
	require.Never(t, func() bool {
		select {
		case <-second.led:
			return true
		default:
			return false
		}
	}, 2*time.Second, 10*time.Millisecond, "the lease is made longer")
	stop()
	require.NoError(t, await(t, "the first ends", first.done))
	require.NoError(t, await(t, "the other ends", other.done))
	await(t, "the second leads", second.led)

	third, end := context.WithCancel(t.Context())
	next := lead(third, p, 0)
	_, err := pool.Exec(t.Context(), `UPDATE outbox.leases SET holder = 'somebody else' WHERE shard_group = 0`)
	require.NoError(t, err)
	require.ErrorContains(t, await(t, "the second notices", second.done), "run out")
	await(t, "the third leads when the lease has run out", next.led)
	end()
	require.NoError(t, await(t, "the third ends", next.done))
}

func TestALeaderWhoseDatabaseHangsDoesNotLeadOn(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t, pgtest.Schema{})
	p := outbox.NewPostgres(pool)
	require.NoError(t, p.Setup(t.Context()))
	first := lead(t.Context(), p, 0)
	await(t, "the first leads", first.led)
	lock, err := pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = lock.Exec(t.Context(), `LOCK outbox.leases IN ACCESS EXCLUSIVE MODE`)
	require.NoError(t, err)
	hung := time.Now()
	require.ErrorContains(t, await(t, "the first ends", first.done), "run out")
	require.Less(t, time.Since(hung), waitMax/2)
	require.NoError(t, lock.Rollback(t.Context()))
}
