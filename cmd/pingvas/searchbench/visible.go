package searchbench

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections/search"
)

const (
	// lookEvery is how often a picture is looked for.
	lookEvery = 2 * time.Millisecond
	// seenWithin is when a picture is given up.
	seenWithin = 30 * time.Second
)

// Visible measures how long a picture takes from the commit of its event until it is found, one after another at a
// steady pace.
func Visible(ctx context.Context, h *History, engine search.Engine, times int, every time.Duration) (Asked, error) {
	var took []time.Duration
	for n := range times {
		owner := accountID(n % h.Accounts)
		image, err := h.One(ctx, owner)
		if err != nil {
			return Asked{}, err
		}
		committed := time.Now()
		for {
			result, err := engine.Search(ctx, search.Query{Account: owner, Limit: 2 * imagesEach})
			if err != nil {
				return Asked{}, err
			}
			if slices.Contains(result.Images, image) {
				break
			}
			if time.Since(committed) > seenWithin {
				return Asked{}, errors.New("a picture is not found at all")
			}
			time.Sleep(lookEvery)
		}
		took = append(took, time.Since(committed))
		time.Sleep(time.Until(committed.Add(every)))
	}
	a := summary(took)
	a.Kind = "event to found"
	return a, nil
}

// Tail is a feed straight from the ledger: it looks for new events every few milliseconds, in place of Kafka.
type Tail struct{ Store eventstore.Store }

// Follow implements projections.Feed.
func (f Tail) Follow(ctx context.Context, handle func(context.Context, []eventstore.Envelope) error) error {
	known, err := f.Store.Heads(ctx)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		time.Sleep(lookEvery)
		heads, err := f.Store.Heads(ctx)
		if err != nil {
			return err
		}
		for shard, head := range heads {
			if head.Pos == known[shard].Pos {
				continue
			}
			events, err := f.Store.ReadShard(ctx, shard, known[shard].Pos, eventstore.ReadMax)
			if err != nil {
				return err
			}
			if err := handle(ctx, events); err != nil {
				return err
			}
		}
		known = heads
	}
	return ctx.Err()
}
