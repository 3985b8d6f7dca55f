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
	id     int
	heads  chan int64 // holds the newest head that was not looked at
	log    *slog.Logger
	behind behind

	pos     int64 // the checkpoint
	head    int64
	checked time.Time // when checkpoint and partition were last looked at
}

// tell passes on where the head is, and never blocks. One goroutine calls it.
func (s *shard) tell(head int64) {
	s.behind.noteHead(head)
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
			if time.Since(s.checked) < recheckEvery {
				continue
			}
			if err := s.recheck(ctx); err != nil {
				return progress, err
			}
		}
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
	s.behind.noteNext(batch[0].RecordedAt)
	records, err := toRecords(batch, s.pos+1)
	if err != nil {
		return err
	}
	last, err := s.Publisher.Publish(ctx, eventstore.Topic, s.id, records)
	if err != nil {
		return err
	}
	to := batch[len(batch)-1].Pos
	if last != OffsetUnknown && beginningLost(to, last) {
		return s.goBack(ctx, 0)
	}
	if err := s.move(ctx, to); err != nil {
		return err
	}
	s.Metrics.Published(s.id, len(batch))
	return nil
}

// beginningLost tells whether a partition with this event at this offset cannot begin with the first event: then there
// were as many records before it as events, at least. It is how a topic is noticed that was deleted and created while
// events were published.
func beginningLost(pos, offset int64) bool { return offset+1 < pos }

func (s *shard) move(ctx context.Context, to int64) error {
	if err := s.Checkpoints.Move(ctx, s.id, s.pos, to); err != nil {
		return err
	}
	s.pos = to
	s.behind.notePos(to)
	return nil
}

// goBack makes the shard be published again from a position before the checkpoint.
func (s *shard) goBack(ctx context.Context, has int64) error {
	s.log.Error("the topic has lost events, they are published again", slog.Int64("has", has),
		slog.Int64("published", s.pos))
	s.Metrics.Lost(s.id, s.pos-has)
	return s.move(ctx, has)
}

// resume reads the checkpoint, and takes it back to where the partition ends if that is before it.
func (s *shard) resume(ctx context.Context) error {
	pos, err := s.Checkpoints.Load(ctx, s.id)
	if err != nil {
		return err
	}
	s.pos = pos
	s.behind.notePos(pos)
	return s.compare(ctx)
}

// recheck returns ErrMoved if the checkpoint is not where this outbox has left it, and does what resume does.
func (s *shard) recheck(ctx context.Context) error {
	pos, err := s.Checkpoints.Load(ctx, s.id)
	if err != nil {
		return err
	}
	if pos != s.pos {
		return ErrMoved
	}
	return s.compare(ctx)
}

// compare looks at the end of the partition.
func (s *shard) compare(ctx context.Context) error {
	s.checked = time.Now()
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
	has := tail.Pos
	if has > 0 && beginningLost(has, tail.Offset) {
		has = 0
	}
	if has >= s.pos {
		return nil
	}
	return s.goBack(ctx, has)
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
