package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/eventstore"
)

// shard publishes one shard, in one goroutine.
type shard struct {
	Config
	id    int
	heads chan int64 // holds the newest head that was not looked at
	log   *slog.Logger

	pos  int64 // the checkpoint
	head int64
}

// tell passes on where the head is, and never blocks. One goroutine calls it.
func (s *shard) tell(head int64) {
	select {
	case <-s.heads:
	default:
	}
	s.heads <- head
}

// run publishes until ctx ends. Whatever fails is begun again from the checkpoint.
func (s *shard) run(ctx context.Context) {
	wait := retryFirst
	for {
		progress, err := s.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if progress {
			wait = retryFirst
		}
		s.Metrics.Failed(s.id, err)
		if errors.Is(err, ErrMoved) {
			s.log.Info("the checkpoint was moved, publishing goes on from there")
		} else {
			s.log.Error("a shard cannot be published", slog.Int64("after", s.pos), slog.Duration("retry_in", wait),
				slog.Any("error", err))
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, retryMax)
	}
}

// follow resumes and publishes until the first error. It reports whether anything was published.
func (s *shard) follow(ctx context.Context) (progress bool, err error) {
	if err := s.resume(ctx); err != nil {
		return false, err
	}
	recheck := time.NewTicker(recheckEvery)
	defer recheck.Stop()
	for {
		for s.pos < s.head {
			if err := s.publish(ctx); err != nil {
				return progress, err
			}
			progress = true
		}
		s.Metrics.Lag(s.id, 0, 0)
		select {
		case <-ctx.Done():
			return progress, ctx.Err()
		case s.head = <-s.heads:
		case <-recheck.C:
			if err := s.recheck(ctx); err != nil {
				return progress, err
			}
		}
	}
}

// publish publishes one batch and moves the checkpoint.
func (s *shard) publish(ctx context.Context) error {
	batch, err := s.Ledger.ReadShard(ctx, s.id, s.pos, batchEvents)
	if err != nil {
		return err
	}
	if len(batch) == 0 {
		return fmt.Errorf("the ledger has nothing after %d:%d, though its head is %d", s.id, s.pos, s.head)
	}
	s.Metrics.Lag(s.id, max(s.head, batch[len(batch)-1].Pos)-s.pos, max(time.Since(batch[0].RecordedAt), 0))
	records := make([]Record, len(batch))
	for i, e := range batch {
		if e.Pos != s.pos+1+int64(i) {
			return fmt.Errorf("the ledger has a gap before %s", e.Position())
		}
		if records[i], err = toRecord(e); err != nil {
			return err
		}
	}
	if err := s.Publisher.Publish(ctx, eventstore.Topic, s.id, records); err != nil {
		return err
	}
	to := batch[len(batch)-1].Pos
	if err := s.Checkpoints.Move(ctx, s.id, s.pos, to); err != nil {
		return err
	}
	s.Metrics.Published(s.id, len(batch))
	s.pos = to
	return nil
}

// recheck returns ErrMoved if the checkpoint is not where this outbox has left it.
func (s *shard) recheck(ctx context.Context) error {
	pos, err := s.Checkpoints.Load(ctx, s.id)
	if err == nil && pos != s.pos {
		return ErrMoved
	}
	return err
}

// resume reads the checkpoint, and takes it back to where the partition ends if that is before it.
func (s *shard) resume(ctx context.Context) error {
	pos, err := s.Checkpoints.Load(ctx, s.id)
	if err != nil {
		return err
	}
	s.pos = pos
	if s.Tails == nil {
		return nil
	}
	tail, err := s.Tails.Tail(ctx, eventstore.Topic, s.id)
	if err != nil {
		return fmt.Errorf("look at the end of the partition: %w", err)
	}
	if !tail.Known {
		return nil
	}
	if err := s.verify(ctx, tail); err != nil {
		return err
	}
	if tail.Pos >= s.pos {
		return nil
	}
	s.log.Warn("the topic has lost events, they are published again", slog.Int64("has", tail.Pos),
		slog.Int64("published", s.pos))
	if err := s.Checkpoints.Move(ctx, s.id, s.pos, tail.Pos); err != nil {
		return err
	}
	s.pos = tail.Pos
	return nil
}

// verify refuses a partition that ends in an event of another ledger, or of a future that this one has lost:
// publishing would give its consumers a history that never was.
func (s *shard) verify(ctx context.Context, tail Tail) error {
	if tail.Pos == 0 {
		return nil
	}
	last, err := s.Ledger.ReadShard(ctx, s.id, tail.Pos-1, 1)
	if err != nil {
		return err
	}
	if len(last) == 0 || last[0].Pos != tail.Pos || last[0].Chain != tail.Chain {
		return fmt.Errorf("partition %d of %s ends in event %d of another ledger", s.id, eventstore.Topic, tail.Pos)
	}
	return nil
}
