package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pingvas/pingvas/eventstore"
)

// apply moves the view on by a batch that follows its position. Where the batch fails as a whole it goes event by
// event, so that the shard stops right before the one that fails, or parks it.
func (r *Runner) apply(ctx context.Context, s *shard, batch []eventstore.Envelope) error {
	err := r.advance(ctx, s, batch)
	if err == nil || !errors.Is(err, ErrFenced) && transient(err) {
		return err
	}
	if errors.Is(err, ErrFenced) {
		return r.reload(ctx, s)
	}
	if len(batch) > 1 {
		for i := range batch {
			if batch[i].Pos != s.pos.Load()+1 {
				return nil // fenced: the next page begins where the other runner is
			}
			if err := r.apply(ctx, s, batch[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	failure := &EventError{Position: batch[0].Position(), Type: batch[0].Type, Err: err}
	if r.cfg.Strict {
		return failure
	}
	return r.park(ctx, s, failure)
}

// advance applies a batch and moves the checkpoint in one transaction.
func (r *Runner) advance(ctx context.Context, s *shard, batch []eventstore.Envelope) error {
	events, err := decode(ctx, r.cfg.Decoder, r.cfg.Projection, batch)
	if err != nil {
		return err
	}
	return r.move(ctx, s, batch[len(batch)-1].Pos, func(tx pgx.Tx) error {
		if len(events) == 0 {
			return nil
		}
		return r.cfg.Projection.Apply(ctx, tx, events)
	})
}

// decode returns the events that the projection handles.
func decode(ctx context.Context, d Decoder, p Projection, batch []eventstore.Envelope) ([]Event, error) {
	var events []Event
	for _, envelope := range batch {
		if !p.Handles(envelope.Type) {
			continue
		}
		event, err := d.Decode(ctx, envelope)
		if err != nil {
			return nil, decodeFailure(err)
		}
		meta, err := envelope.Meta()
		if err != nil {
			return nil, fmt.Errorf("decode the metadata of %s: %w", envelope.Position(), err)
		}
		events = append(events, Event{Envelope: envelope, Event: event, Meta: meta})
	}
	return events, nil
}

// The checkpoint goes first: whoever comes second waits for its row and finds itself fenced before it has done
// anything.
const sqlAdvance = `UPDATE projections.checkpoints
	SET pos = $6, stopped_since = NULL, failure = NULL, failures = 0
	WHERE projection = $1 AND version = $2 AND build = $3 AND shard = $4 AND pos = $5`

// move runs do and moves the checkpoint to a position, in one transaction, or returns ErrFenced.
func (r *Runner) move(ctx context.Context, s *shard, to int64, do func(pgx.Tx) error) error {
	from := s.pos.Load()
	conn, err := r.cfg.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", &TransientError{Err: err})
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := r.advanceTo(ctx, tx, s, to); err != nil {
			return err
		}
		if err := r.checkSink(ctx, tx, s.copy); err != nil {
			return err
		}
		return do(tx)
	})
	if err != nil {
		if conn.Conn().IsClosed() { // the driver's words for it differ from step to step
			return &TransientError{Err: err}
		}
		return err
	}
	s.pos.Store(to)
	r.cfg.Signal.broadcast()
	r.cfg.Observer.Applied(r.cfg.Projection.Name(), s.id, int(to-from))
	return nil
}

// advanceTo enters the copy and moves the checkpoint, in one round trip.
func (r *Runner) advanceTo(ctx context.Context, tx pgx.Tx, s *shard, to int64) error {
	var fenced bool
	var batch pgx.Batch
	c := s.copy
	batch.Queue(sqlEnter, target{schema: c.Schema()}.quoted(), milliseconds(r.cfg.HoldMax))
	batch.Queue(sqlAdvance, c.Projection, c.Version, c.Build, s.id, s.pos.Load(), to).
		Exec(func(tag pgconn.CommandTag) error {
			fenced = tag.RowsAffected() == 0
			return nil
		})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("move the checkpoint: %w", err)
	}
	if fenced {
		return ErrFenced
	}
	return nil
}

// checkSink returns an error if the rows of the view do not belong to this runner's sink any more: another process has
// begun the view anew in a sink of its own, or this one was lost. Two sinks that share a checkpoint would each miss
// what the other got. The next start begins the view anew.
func (r *Runner) checkSink(ctx context.Context, tx pgx.Tx, c Copy) error {
	s, ok := r.cfg.Projection.(Sink)
	if !ok {
		return nil
	}
	id, err := s.SinkID(ctx)
	if err != nil {
		return &TransientError{Err: fmt.Errorf("identify the sink: %w", err)}
	}
	var known string
	if err := tx.QueryRow(ctx, sqlSinkID, c.Projection, c.Version, c.Build).Scan(&known); err != nil {
		return fmt.Errorf("look up the sink of %s: %w", c.Schema(), err)
	}
	if known != id {
		return &TransientError{Err: errors.New("the view belongs to another sink than this process has")}
	}
	return nil
}

const (
	sqlSinkID = `SELECT sink_id FROM projections.views WHERE projection = $1 AND version = $2 AND build = $3`
	sqlReload = `SELECT build, pos FROM projections.checkpoints JOIN projections.views USING (projection, version, build)
		WHERE projection = $1 AND version = $2 AND shard = $3 AND (state <> 'retired' AND $4 = 0 OR build = $4)
		ORDER BY state = 'live' DESC, build LIMIT 1`
)

// reload takes over the copy to write to and the position that another runner has reached. The caller holds s.mu.
func (r *Runner) reload(ctx context.Context, s *shard) error {
	p := r.cfg.Projection
	c := Copy{Projection: p.Name(), Version: p.Version()}
	pinned := 0
	if r.pinned != nil {
		pinned = r.pinned.Build
	}
	var pos int64
	err := r.cfg.Pool.QueryRow(ctx, sqlReload, c.Projection, c.Version, s.id, pinned).Scan(&c.Build, &pos)
	if errors.Is(err, pgx.ErrNoRows) && r.pinned == nil {
		// The view was dropped to be built again.
		if err := Setup(ctx, r.cfg.Pool, p, len(r.shards)); err != nil {
			return err
		}
		err = r.cfg.Pool.QueryRow(ctx, sqlReload, c.Projection, c.Version, s.id, pinned).Scan(&c.Build, &pos)
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint of %s again: %w", p.Name(), err)
	}
	s.copy = c
	s.build.Store(int64(c.Build))
	s.pos.Store(pos)
	s.behind.Store(true)
	return nil
}

const sqlPark = `INSERT INTO projections.dead_letters (projection, version, build, shard, pos, type, failure)
	VALUES ($1, $2, $3, $4, $5, $6, $7)`

func (r *Runner) park(ctx context.Context, s *shard, failure *EventError) error {
	p := r.cfg.Projection
	err := r.move(ctx, s, failure.Position.Pos, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlPark, p.Name(), p.Version(), s.copy.Build, s.id, failure.Position.Pos, failure.Type,
			failure.Err.Error())
		return err
	})
	if errors.Is(err, ErrFenced) {
		return r.reload(ctx, s)
	}
	if err != nil {
		return &TransientError{Err: fmt.Errorf("park an event: %w", err)}
	}
	r.cfg.Observer.Parked(p.Name(), s.id, failure.Position.Pos)
	r.cfg.Log.ErrorContext(ctx, "a projection parked an event", slog.String("projection", p.Name()),
		slog.String("position", failure.Position.String()), slog.Any("error", failure))
	return nil
}

const sqlStop = `UPDATE projections.checkpoints
	SET stopped_since = coalesce(stopped_since, now()), failure = $5, failures = failures + 1
	WHERE projection = $1 AND version = $2 AND build = $3 AND shard = $4`

// failed records what keeps a shard from moving on.
func (r *Runner) failed(ctx context.Context, s *shard, failure error) {
	r.cfg.Observer.Stopped(r.cfg.Projection.Name(), s.id, failure)
	s.mu.Lock()
	c := s.copy
	s.mu.Unlock()
	r.cfg.Log.ErrorContext(ctx, "a shard of a projection stands still", slog.String("projection", c.Projection),
		slog.Int("shard", s.id), slog.Int64("after", s.pos.Load()), slog.Any("error", failure))
	err := asProjector(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlStop, c.Projection, c.Version, c.Build, s.id, failure.Error())
		return err
	})
	if err != nil {
		// The database is likely what failed; the log has the rest.
		r.cfg.Log.WarnContext(ctx, "the stop could not be recorded", slog.Any("error", err))
	}
}
