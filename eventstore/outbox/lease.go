package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// How long a leader leads. A leader that is killed or paused has a successor after leaseFor + tryEvery at the latest,
// which has to stay well below two seconds.
const (
	leaseFor   = 1200 * time.Millisecond
	renewEvery = 300 * time.Millisecond
	tryEvery   = 200 * time.Millisecond
	// giveBackTimeout bounds the release of a lease at the end; after it the lease runs out by itself.
	giveBackTimeout = 2 * time.Second
)

// errDeposed is why a leader does not lead any more.
var errDeposed = errors.New("the lease has run out")

const (
	// A lease that a crash of the database takes is no loss: somebody takes the next one. Without a log it costs no write
	// to the disk, however often it is renewed.
	sqlLeases = `CREATE UNLOGGED TABLE IF NOT EXISTS outbox.leases (
	shard_group integer PRIMARY KEY CHECK (shard_group >= 0),
	holder      text NOT NULL,
	expires_at  timestamptz NOT NULL
)`
	// Takes the lease if it is free, or makes one's own longer. The clock is the database's alone.
	sqlTake = `INSERT INTO outbox.leases AS l (shard_group, holder, expires_at)
SELECT $1::integer, $2::text, clock_timestamp() + $3::bigint * interval '1 millisecond'
WHERE NOT EXISTS (SELECT 1 FROM outbox.leases
	WHERE shard_group = $1::integer AND holder <> $2::text AND expires_at >= clock_timestamp())
ON CONFLICT (shard_group) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE l.holder = excluded.holder OR l.expires_at < clock_timestamp()`
	sqlGiveBack = `DELETE FROM outbox.leases WHERE shard_group = $1 AND holder = $2`
)

// lease is what one call of Lead holds or wants.
type lease struct {
	*Postgres
	group  int
	holder string
}

// Lead implements Leadership. The context of work ends before the lease does, unless this process is paused: then a
// paused leader may go on for a moment beside its successor, and what it writes is there twice.
func (p *Postgres) Lead(ctx context.Context, group int, work func(ctx context.Context) error) error {
	l := lease{p, group, rand.Text()}
	for {
		asked := time.Now()
		leads, err := l.take(ctx)
		if err != nil {
			return err
		}
		if leads {
			return l.hold(ctx, asked, work)
		}
		if !pause(ctx, tryEvery) {
			return ctx.Err()
		}
	}
}

// take takes the lease or makes it longer, and tells whether it is held.
func (l lease) take(ctx context.Context) (bool, error) {
	tag, err := l.pool.Exec(ctx, sqlTake, l.group, l.holder, leaseFor.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("take the lease of group %d: %w", l.group, err)
	}
	return tag.RowsAffected() == 1, nil
}

// hold works while the lease that was asked for at a time can be made longer, then gives it back.
func (l lease) hold(ctx context.Context, asked time.Time, work func(ctx context.Context) error) error {
	leading, end := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		defer end(nil)
		done <- work(leading)
	}()
	// A statement that hangs must not make a leader lead for longer.
	runsOut := time.AfterFunc(time.Until(asked.Add(leaseFor)), func() { end(errDeposed) })
	defer runsOut.Stop()
	if l.renew(leading, runsOut) {
		end(errDeposed)
	}
	err := <-done
	l.giveBack(ctx)
	if cause := context.Cause(leading); err == nil && ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return err
}

// renew makes the lease longer and longer until leading ends, and returns true if the lease is another's.
func (l lease) renew(leading context.Context, runsOut *time.Timer) (lost bool) {
	for pause(leading, renewEvery) {
		asked := time.Now()
		// What fails is tried again until the lease runs out.
		if leads, err := l.take(leading); err == nil && !leads {
			return true
		} else if err == nil {
			runsOut.Reset(time.Until(asked.Add(leaseFor)))
		}
	}
	return false
}

// giveBack lets the next leader begin at once.
func (l lease) giveBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	_, _ = l.pool.Exec(ctx, sqlGiveBack, l.group, l.holder) // else it runs out
}
