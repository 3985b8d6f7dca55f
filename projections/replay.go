package projections

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// ReplayEventsMax is how many events the accounts of one shard's dead letters may have together.
const ReplayEventsMax = 1_000_000

// ErrReplayTooLong says that a rebuild is the better way.
var ErrReplayTooLong = errors.New("the accounts of the dead letters have too many events: rebuild the view instead")

// Replay applies events that a view has parked, after it was repaired. What came after a parked event may depend on it,
// so all rows of its account are made anew, from all events of the account, in one transaction for each shard. The
// result is what the view would be had nothing ever been parked.
type Replay struct {
	// Config is that of a runner.
	Config Config
	// Progress is told how far the reading of a shard has come, or nil.
	Progress func(at eventstore.Position, of int64)
}

// Replayed is what became of the dead letters of a view.
type Replayed struct {
	Applied int `json:"applied"` // dead letters that are gone
	Left    int `json:"left"`    // dead letters that there are now
}

// Run replays the dead letters of the current copy. It returns ErrInPlace for a view with tables that are not by
// account; such a view is rebuilt.
func (r *Replay) Run(ctx context.Context) (Replayed, error) {
	var all Replayed
	runner, err := New(r.Config)
	if err != nil {
		return all, err
	}
	if err := runner.start(ctx); err != nil {
		return all, err
	}
	for _, s := range runner.shards {
		done, err := r.shard(ctx, runner, s)
		if err != nil {
			return all, fmt.Errorf("replay shard %d of %s: %w", s.id, s.copy.Schema(), err)
		}
		all.Applied, all.Left = all.Applied+done.Applied, all.Left+done.Left
	}
	return all, nil
}

// letters are the dead letters of a shard.
type letters struct {
	*Replay
	copy    Copy
	shard   int
	tables  []string
	dead    map[int64]bool
	events  map[domain.AccountID][]eventstore.Envelope
	read    int64 // up to here
	failing map[int64]*EventError
}

func (r *Replay) shard(ctx context.Context, runner *Runner, s *shard) (Replayed, error) {
	l := &letters{Replay: r, copy: s.copy, shard: s.id, failing: map[int64]*EventError{}}
	if err := l.find(ctx); err != nil || len(l.dead) == 0 {
		return Replayed{}, err
	}
	// Most is read before the shard is held.
	if err := l.collect(ctx, s.pos.Load()); err != nil {
		return Replayed{}, err
	}
	err := pgx.BeginFunc(ctx, r.Config.Pool, func(tx pgx.Tx) error {
		if err := (target{schema: l.copy.Schema()}).enter(ctx, tx, runner.cfg.HoldMax); err != nil {
			return err
		}
		var pos int64
		err := tx.QueryRow(ctx, sqlHold, l.copy.Projection, l.copy.Version, l.copy.Build, l.shard).Scan(&pos)
		if err != nil {
			return fmt.Errorf("hold the shard: %w", err)
		}
		if err := runner.checkSink(ctx, tx, l.copy); err != nil {
			return err
		}
		if err := l.collect(ctx, pos); err != nil {
			return err
		}
		return l.renew(ctx, tx)
	})
	if err != nil {
		return Replayed{}, err
	}
	done := Replayed{Left: len(l.failing)}
	for pos := range l.dead {
		if l.failing[pos] == nil {
			done.Applied++
		}
	}
	return done, nil
}

const (
	sqlHold = `SELECT pos FROM projections.checkpoints
		WHERE projection = $1 AND version = $2 AND build = $3 AND shard = $4 FOR UPDATE`
	sqlBury = `DELETE FROM projections.dead_letters
		WHERE projection = $1 AND version = $2 AND build = $3 AND shard = $4 AND pos = ANY($5)`
	// What was published is true of rows without the dead letters.
	sqlUnpublish = `DELETE FROM projections.digests WHERE projection = $1 AND version = $2 AND shard = $3`
)

// find looks for dead letters and tells whose they are.
func (l *letters) find(ctx context.Context) error {
	var err error
	c := l.copy
	if l.dead, err = parked(ctx, l.Config.Pool, c, l.shard); err != nil || len(l.dead) == 0 {
		return err
	}
	// Query reports its error through the rows.
	rows, _ := l.Config.Pool.Query(ctx, sqlTenantTables, c.Schema())
	var tenant bool
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name, &tenant}, func() error {
		l.tables = append(l.tables, name)
		if !tenant {
			return fmt.Errorf("the table %s is not by account: %w", name, ErrInPlace)
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.events = map[domain.AccountID][]eventstore.Envelope{}
	for pos := range l.dead {
		found, err := l.Config.Ledger.ReadShard(ctx, l.shard, pos-1, 1)
		if err != nil {
			return err
		}
		meta, err := found[0].Meta()
		if err != nil {
			return err
		}
		l.events[meta.Account] = nil
	}
	return nil
}

// collect reads the events of the accounts up to a position.
func (l *letters) collect(ctx context.Context, upTo int64) error {
	kept := 0
	for l.read < upTo {
		batch, err := l.Config.Ledger.ReadShard(ctx, l.shard, l.read, int(min(PageMax, upTo-l.read)))
		if err != nil {
			return err
		}
		for _, e := range batch {
			meta, err := e.Meta()
			if err != nil {
				return fmt.Errorf("decode the metadata of %s: %w", e.Position(), err)
			}
			if of, ok := l.events[meta.Account]; ok && l.Config.Projection.Handles(e.Type) {
				l.events[meta.Account] = append(of, e)
				kept++
			}
		}
		if kept > ReplayEventsMax {
			return ErrReplayTooLong
		}
		l.read = batch[len(batch)-1].Pos
		if l.Progress != nil {
			l.Progress(eventstore.Position{Shard: l.shard, Pos: l.read}, upTo)
		}
	}
	return nil
}

// renew makes the rows of the accounts anew and notes which events still cannot be applied.
func (l *letters) renew(ctx context.Context, tx pgx.Tx) error {
	for _, account := range slices.Sorted(maps.Keys(l.events)) {
		for {
			failed, err := l.account(ctx, tx, account)
			if err != nil {
				return err
			}
			if failed == nil {
				break
			}
			l.failing[failed.Position.Pos] = failed
		}
	}
	c := l.copy
	_, err := tx.Exec(ctx, sqlBury, c.Projection, c.Version, c.Build, l.shard, slices.Collect(maps.Keys(l.dead)))
	if err != nil {
		return fmt.Errorf("remove the dead letters: %w", err)
	}
	if _, err := tx.Exec(ctx, sqlUnpublish, c.Projection, c.Version, l.shard); err != nil {
		return fmt.Errorf("take back the published digest: %w", err)
	}
	for pos, f := range l.failing {
		_, err := tx.Exec(ctx, sqlPark, c.Projection, c.Version, c.Build, l.shard, pos, f.Type, f.Err.Error())
		if err != nil {
			return fmt.Errorf("park an event again: %w", err)
		}
	}
	return nil
}

// account returns the next event that cannot be applied, or nil when all rows of the account are there.
func (l *letters) account(ctx context.Context, tx pgx.Tx, id domain.AccountID) (failed *EventError, err error) {
	var events []eventstore.Envelope
	for _, e := range l.events[id] {
		if l.failing[e.Pos] == nil {
			events = append(events, e)
		}
	}
	for _, size := range []int{PageMax, 1} { // one by one shows which it is
		err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			for _, table := range l.tables {
				sql := `DELETE FROM ` + pgx.Identifier{table}.Sanitize() + ` WHERE account = $1`
				if _, err := tx.Exec(ctx, sql, id); err != nil {
					return fmt.Errorf("empty %s: %w", table, err)
				}
			}
			for batch := range slices.Chunk(events, size) {
				if err := l.apply(ctx, tx, batch); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || transient(err) {
			return nil, err
		}
	}
	if errors.As(err, &failed) {
		return failed, nil
	}
	return nil, err
}

func (l *letters) apply(ctx context.Context, tx pgx.Tx, batch []eventstore.Envelope) error {
	events, err := decode(ctx, l.Config.Decoder, l.Config.Projection, batch)
	if err == nil {
		err = l.Config.Projection.Apply(ctx, tx, events)
	}
	if err != nil && !transient(err) {
		return &EventError{Position: batch[0].Position(), Type: batch[0].Type, Err: err}
	}
	return err
}
