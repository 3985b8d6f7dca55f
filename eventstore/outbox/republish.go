package outbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
)

// republishShards bounds how many shards are published again at a time.
const republishShards = 4

// Range is a part of a shard. Both ends belong to it.
type Range struct {
	Shard    int
	From, To int64
}

// Republisher publishes again what was published before, beside the outbox and without stopping it: what is new does
// not wait for it. Its records have HeaderRepeated. Consumers drop the positions that they have seen, as always.
type Republisher struct {
	Ledger      Ledger
	Publisher   Publisher
	Checkpoints Checkpoints
	// Progress is told the ranges that remain of each shard, by several shards at a time; nil means nobody is.
	Progress func(left Range)
}

// Published returns all that was published of a shard; the range is empty if nothing was.
func (r Republisher) Published(ctx context.Context, shard int) (Range, error) {
	if shard < 0 || shard >= r.Ledger.Shards() {
		return Range{}, fmt.Errorf("there is no shard %d", shard)
	}
	at, err := r.Checkpoints.Load(ctx, shard)
	return Range{Shard: shard, From: 1, To: at}, err
}

// Run publishes the ranges, each in order, several shards at a time. It returns an error before anything is written if
// a range is not a part of what was published: the rest is the outbox's.
func (r Republisher) Run(ctx context.Context, ranges []Range) error {
	var errs []error
	for _, part := range ranges {
		all, err := r.Published(ctx, part.Shard)
		if err == nil && (part.From < all.From || part.To > all.To || part.From > part.To+1) {
			err = fmt.Errorf("%d to %d of shard %d: it was published up to %d", part.From, part.To, part.Shard, all.To)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("republish: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(republishShards)
	for _, part := range ranges {
		group.Go(func() error {
			if err := r.publish(ctx, part); err != nil {
				return fmt.Errorf("republish shard %d: %w", part.Shard, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (r Republisher) publish(ctx context.Context, part Range) error {
	for part.From <= part.To {
		limit := int(min(batchEvents, part.To-part.From+1))
		batch, err := r.Ledger.ReadShard(ctx, part.Shard, part.From-1, limit)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return fmt.Errorf("the ledger has nothing at %d:%d", part.Shard, part.From)
		}
		records, err := toRecords(batch, part.From)
		if err != nil {
			return err
		}
		for _, record := range records {
			record.Headers[HeaderRepeated] = "true"
		}
		if _, err := r.Publisher.Publish(ctx, eventstore.Topic, part.Shard, records); err != nil {
			return err
		}
		part.From += int64(len(batch))
		if r.Progress != nil {
			r.Progress(part)
		}
	}
	return nil
}
