package projections

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

const (
	// SwapWithin is how many events a new build may be behind the ledger, in each shard, when the swap begins. The view
	// stands still until it has applied them.
	SwapWithin = 1000
	// swapWait bounds that; then the view goes on and the swap is tried again.
	swapWait = 2 * time.Second
	// rebuildPoll is how often a new build looks for more events and for whether it has caught up.
	rebuildPoll = 20 * time.Millisecond
	// dropAfter is how long the replaced build stays for readers who have just found it. Those who are later look again.
	dropAfter = time.Second
)

var (
	// ErrRebuilding says that another rebuild of the view is running.
	ErrRebuilding = errors.New("another rebuild of this view is running")
	// ErrInPlace says that the view has a sink which cannot stand beside another. Drop it, and its runner builds it anew
	// in place.
	ErrInPlace = errors.New("this view cannot be built beside itself, only in place")
	errNotYet  = errors.New("the new build has not caught up yet")
)

// Rebuild builds a view anew beside the copy that is read, while that goes on, and then swaps them: in one transaction
// readers and runners of all processes go over to the new one, which knows at least as much as the old one did.
type Rebuild struct {
	// Config is that of a runner. Its feed is not needed.
	Config Config
	// Progress is told how many of how many events the new build has applied, or nil.
	Progress func(done, total int64)
}

// Run returns the new copy once it is read and the old one is gone. It returns ErrRebuilding, ErrInPlace, or an
// *EventError for an event that a strict view cannot apply; then everything is as it was.
func (r *Rebuild) Run(ctx context.Context) (Copy, error) {
	p := r.Config.Projection
	swappable, canSwap := p.(Swappable)
	if _, isSink := p.(Sink); isSink && !canSwap {
		return Copy{}, ErrInPlace
	}
	unlock, err := tryLock(ctx, r.Config.Pool, "rebuild "+p.Name())
	if err != nil {
		return Copy{}, err
	}
	if unlock == nil {
		return Copy{}, ErrRebuilding
	}
	defer unlock()
	if err := Setup(ctx, r.Config.Pool, p, r.Config.Ledger.Shards()); err != nil {
		return Copy{}, err
	}
	b := &build{Rebuild: r, projection: p}
	if err := b.begin(ctx, swappable); err != nil {
		return Copy{}, err
	}
	if err := b.finish(ctx); err != nil {
		return Copy{}, errors.Join(err, b.discard(context.WithoutCancel(ctx)))
	}
	return b.copy, b.dropOld(ctx)
}

// build is a rebuild under way.
type build struct {
	*Rebuild
	projection Projection
	sink       Swappable // nil without one
	old        Copy
	copy       Copy
	runner     *Runner
	stopped    atomic.Pointer[EventError]
}

// begin makes the new copy, and drops what rebuilds have left that were killed: nobody else holds the lock.
func (b *build) begin(ctx context.Context, sink Swappable) error {
	err := locked(ctx, b.Config.Pool, func(tx pgx.Tx) error {
		known, err := current(ctx, tx, b.projection)
		if err != nil {
			return err
		}
		if known == nil {
			return fmt.Errorf("the view %s was dropped meanwhile", b.projection.Name())
		}
		b.old = known.Copy
		if err := dropLeftovers(ctx, tx, b.old); err != nil {
			return err
		}
		b.copy, err = newCopy(ctx, tx, b.projection, "", b.Config.Ledger.Shards())
		return err
	})
	if err != nil || sink == nil {
		return err
	}
	if b.sink, err = sink.Beside(ctx, b.copy.Build); err != nil {
		return errors.Join(fmt.Errorf("make a sink beside that of %s: %w", b.projection.Name(), err), b.discard(ctx))
	}
	b.projection = b.sink
	return b.recordSink(ctx)
}

const (
	sqlLeftovers = `SELECT projection, version, build FROM projections.views
		WHERE projection = $1 AND version = $2 AND build <> $3 AND state = 'building'`
	sqlRecordSink = `UPDATE projections.views SET sink_id = $4 WHERE projection = $1 AND version = $2 AND build = $3`
)

func dropLeftovers(ctx context.Context, tx pgx.Tx, but Copy) error {
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlLeftovers, but.Projection, but.Version, but.Build)
	left, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Copy])
	if err != nil {
		return fmt.Errorf("look for unfinished builds: %w", err)
	}
	for _, c := range left {
		err = errors.Join(err, dropCopy(ctx, tx, c))
	}
	return err
}

func (b *build) recordSink(ctx context.Context) error {
	id, err := b.sink.SinkID(ctx)
	if err != nil {
		return fmt.Errorf("identify the new sink of %s: %w", b.copy.Projection, err)
	}
	return asProjector(ctx, b.Config.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlRecordSink, b.copy.Projection, b.copy.Version, b.copy.Build, id)
		return err
	})
}

// finish runs the new copy until it has taken the place of the old one.
func (b *build) finish(ctx context.Context) error {
	cfg := b.Config
	cfg.Projection, cfg.Feed, cfg.Poll, cfg.Signal = b.projection, nil, rebuildPoll, &Signal{}
	cfg.Observer = &buildObserver{Observer: cfg.withDefaults().Observer, stopped: &b.stopped}
	var err error
	if b.runner, err = New(cfg); err != nil {
		return err
	}
	b.runner.pinned = &b.copy
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.runner.Run(ctx) }()
	err = b.follow(ctx)
	cancel()
	return errors.Join(err, <-ended)
}

// buildObserver notes an event that cannot be applied.
type buildObserver struct {
	Observer
	stopped *atomic.Pointer[EventError]
}

// Stopped implements Observer.
func (o *buildObserver) Stopped(projection string, shard int, err error) {
	var failure *EventError
	if errors.As(err, &failure) {
		o.stopped.Store(failure)
	}
	o.Observer.Stopped(projection, shard, err)
}

// Lag implements Observer: that of a build is no alarm.
func (o *buildObserver) Lag(string, int, int64) {}

// follow waits until the build has caught up, and swaps.
func (b *build) follow(ctx context.Context) error {
	analyzed := false
	for pause(ctx, rebuildPoll) {
		if failure := b.stopped.Load(); failure != nil {
			return failure
		}
		heads, err := b.Config.Ledger.Heads(ctx)
		if err != nil {
			continue // the runner says so
		}
		if !b.near(heads) {
			continue
		}
		if !analyzed {
			if err := analyze(ctx, b.Config.Pool, b.copy); err != nil {
				return err
			}
			analyzed = true
		}
		if err := b.swap(ctx); !errors.Is(err, errNotYet) {
			b.near(heads) // for its progress
			return err
		}
	}
	return ctx.Err()
}

// near reports whether every shard is at most SwapWithin events behind, and tells how far the build is.
func (b *build) near(heads []eventstore.Head) bool {
	near, done, total := true, int64(0), int64(0)
	for i, s := range b.runner.shards {
		at := s.pos.Load()
		near = near && heads[i].Pos-at <= SwapWithin
		done, total = done+at, total+heads[i].Pos
	}
	if b.Progress != nil {
		b.Progress(done, total)
	}
	return near
}

const (
	sqlLockWait = `SELECT set_config('lock_timeout', $1, true)`
	sqlHoldOld  = `SELECT pos FROM projections.checkpoints WHERE projection = $1 AND version = $2 AND build = $3
		ORDER BY shard FOR UPDATE`
	sqlRetire = `UPDATE projections.views SET state = 'retired', retired_at = now()
		WHERE projection = $1 AND version = $2 AND build = $3`
	sqlReplace = `UPDATE projections.views SET state = 'live', live_at = now()
		WHERE projection = $1 AND version = $2 AND build = $3 AND state = 'building'`
)

// swap holds the old copy where it is, waits until the new one is there, too, and then makes it the one that everybody
// reads and writes. The old one loses its checkpoints, so a runner of it finds itself fenced and looks again.
func (b *build) swap(ctx context.Context) error {
	old, next := b.old, b.copy
	err := asProjector(ctx, b.Config.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlLockWait, milliseconds(swapWait)); err != nil {
			return err
		}
		// Query reports its error through the rows.
		rows, _ := tx.Query(ctx, sqlHoldOld, old.Projection, old.Version, old.Build)
		reached, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return fmt.Errorf("hold the view %s: %w", old.Schema(), err)
		}
		if err := b.reach(ctx, reached); err != nil {
			return err
		}
		if b.sink != nil {
			if err := b.sink.Swap(ctx); err != nil {
				return fmt.Errorf("swap the sink of %s: %w", next.Projection, err)
			}
		}
		var batch pgx.Batch
		batch.Queue(sqlRetire, old.Projection, old.Version, old.Build)
		batch.Queue(sqlReplace, next.Projection, next.Version, next.Build)
		batch.Queue(sqlDropCheckpoints, old.Projection, old.Version, old.Build)
		return tx.SendBatch(ctx, &batch).Close()
	})
	if err != nil && !errors.Is(err, errNotYet) && transient(err) && ctx.Err() == nil {
		return errNotYet // a runner that stands still holds the lock, or the database is away: try again
	}
	return err
}

// reach waits until the new build is where the old one is held.
func (b *build) reach(ctx context.Context, positions []int64) error {
	ctx, cancel := context.WithTimeout(ctx, swapWait)
	defer cancel()
	heads := make([]eventstore.Head, len(positions))
	for i, pos := range positions {
		heads[i].Pos = pos
	}
	for !b.runner.passed(heads) {
		moved := b.runner.cfg.Signal.next()
		for _, s := range b.runner.shards {
			s.look()
		}
		select {
		case <-ctx.Done():
			return errNotYet
		case <-moved:
		case <-time.After(rebuildPoll):
		}
	}
	return nil
}

func (b *build) dropOld(ctx context.Context) error {
	if !pause(ctx, dropAfter) {
		return nil // runners sweep it away
	}
	return locked(ctx, b.Config.Pool, func(tx pgx.Tx) error { return dropCopy(ctx, tx, b.old) })
}

// discard drops the build that did not come to its end.
func (b *build) discard(ctx context.Context) error {
	err := locked(ctx, b.Config.Pool, func(tx pgx.Tx) error { return dropCopy(ctx, tx, b.copy) })
	if b.sink != nil {
		err = errors.Join(err, b.sink.Discard(ctx))
	}
	return err
}
