package ledgerbench

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
)

// writeUnit is how many commands are appended at once when only the history counts.
const writeUnit = 2000

// History says what to write.
type History struct {
	Store    eventstore.Store
	Codec    *eventstore.Codec
	Accounts int
	Events   int64
	// Progress gets a line now and then. Nil is silent.
	Progress io.Writer
}

// writers is how many shards are written at once: encoding keeps one busy while another waits for its commit.
const writers = 4

// Write appends at least the wanted number of events, spread over new accounts, as fast as the store takes them. It
// keeps no outcomes, which replays do not read.
func (h History) Write(ctx context.Context) error {
	shards := byShard(h.Codec, 0, h.Accounts, h.Store.Shards())
	perAccount := int((h.Events + int64(h.Accounts) - 1) / int64(h.Accounts))
	var written atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for shard, authors := range shards {
		group.Go(func() error {
			for _, a := range authors {
				if err := h.account(ctx, shard, a, perAccount); err != nil {
					return err
				}
				written.Add(a.Version())
			}
			if h.Progress != nil {
				fmt.Fprintf(h.Progress, "%d of %d events written\n", written.Load(), h.Events)
			}
			return nil
		})
	}
	return group.Wait()
}

func (h History) account(ctx context.Context, shard int, a *Author, events int) error {
	u, err := a.Open(ctx)
	if err != nil {
		return err
	}
	for {
		if n := events - int(a.Version()); n > 0 {
			if err := a.Commands(ctx, &u, min(n, writeUnit)); err != nil {
				return err
			}
		}
		u.Outcomes = nil
		if err := appendAll(ctx, h.Store, shard, []eventstore.Unit{u}); err != nil {
			return err
		}
		if int(a.Version()) >= events {
			return nil
		}
		u = eventstore.Unit{}
	}
}

// appendAll appends units that nothing can stand in the way of.
func appendAll(ctx context.Context, store eventstore.Store, shard int, units []eventstore.Unit) error {
	_, err := appendOn(ctx, store, shard, nil, units)
	return err
}

// appendOn is appendAll on a known head. It returns the head behind the units.
func appendOn(
	ctx context.Context, store eventstore.Store, shard int, known *eventstore.Head, units []eventstore.Unit,
) (*eventstore.Head, error) {
	out, err := store.Append(ctx, []eventstore.Batch{{Shard: shard, Known: known, Units: units}})
	if err != nil {
		return nil, fmt.Errorf("append %d units: %w", len(units), err)
	}
	for _, r := range out[0].Results {
		if r.Status != eventstore.StatusAppended {
			return nil, fmt.Errorf("a unit was not appended: status %d", r.Status)
		}
	}
	return &out[0].After, nil
}
