package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

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
			if !follows(batch[i:i+1], s.pos.Load()) {
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
	SET pos = $5, stopped_since = NULL, failure = NULL, failures = 0
	WHERE projection = $1 AND version = $2 AND shard = $3 AND pos = $4`

// move runs do and moves the checkpoint to a position, in one transaction, or returns ErrFenced.
func (r *Runner) move(ctx context.Context, s *shard, to int64, do func(pgx.Tx) error) error {
	from := s.pos.Load()
	p := r.cfg.Projection
	var conn *pgx.Conn
	err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
		conn = tx.Conn()
		if err := r.target.enter(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, sqlAdvance, p.Name(), p.Version(), s.id, from, to)
		if err != nil {
			return fmt.Errorf("move the checkpoint: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrFenced
		}
		if err := r.checkSink(ctx, tx); err != nil {
			return err
		}
		return do(tx)
	})
	if err != nil {
		if conn != nil && conn.IsClosed() { // the driver's words for it differ from step to step
			return &TransientError{Err: err}
		}
		return err
	}
	s.pos.Store(to)
	r.cfg.Signal.broadcast()
	r.cfg.Observer.Applied(p.Name(), s.id, int(to-from))
	return nil
}

// checkSink returns an error if the rows of the view do not belong to this runner's sink any more: another process has
// begun the view anew in a sink of its own, or this one was lost. Two sinks that share a checkpoint would each miss
// what the other got. The next start begins the view anew.
func (r *Runner) checkSink(ctx context.Context, tx pgx.Tx) error {
	s, ok := r.cfg.Projection.(Sink)
	if !ok {
		return nil
	}
	id, err := s.SinkID(ctx)
	if err != nil {
		return &TransientError{Err: fmt.Errorf("identify the sink: %w", err)}
	}
	known, err := lookUp(ctx, tx, s)
	if err != nil {
		return err
	}
	if known == nil || known.sinkID != id {
		return &TransientError{Err: errors.New("the view belongs to another sink than this process has")}
	}
	return nil
}

// reload takes over the position that another runner has reached.
func (r *Runner) reload(ctx context.Context, s *shard) error {
	p := r.cfg.Projection
	var pos int64
	err := r.cfg.Pool.QueryRow(ctx, sqlPosition, p.Name(), p.Version(), s.id).Scan(&pos)
	if errors.Is(err, pgx.ErrNoRows) {
		// The view was dropped to be built again.
		return r.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("read the checkpoint again: %w", err)
	}
	s.pos.Store(pos)
	return nil
}

const sqlPark = `INSERT INTO projections.dead_letters (projection, version, shard, pos, type, failure)
	VALUES ($1, $2, $3, $4, $5, $6)`

func (r *Runner) park(ctx context.Context, s *shard, failure *EventError) error {
	p := r.cfg.Projection
	err := r.move(ctx, s, failure.Position.Pos, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sqlPark, p.Name(), p.Version(), s.id, failure.Position.Pos, failure.Type,
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
	SET stopped_since = coalesce(stopped_since, now()), failure = $4, failures = failures + 1
	WHERE projection = $1 AND version = $2 AND shard = $3`

// failed records what keeps a shard from moving on.
func (r *Runner) failed(ctx context.Context, s *shard, failure error) {
	p := r.cfg.Projection
	r.cfg.Observer.Stopped(p.Name(), s.id, failure)
	r.cfg.Log.ErrorContext(ctx, "a shard of a projection stands still", slog.String("projection", p.Name()),
		slog.Int("shard", s.id), slog.Int64("after", s.pos.Load()), slog.Any("error", failure))
	if _, err := r.cfg.Pool.Exec(ctx, sqlStop, p.Name(), p.Version(), s.id, failure.Error()); err != nil {
		// The database is likely what failed; the log has the rest.
		r.cfg.Log.WarnContext(ctx, "the stop could not be recorded", slog.Any("error", err))
	}
}
