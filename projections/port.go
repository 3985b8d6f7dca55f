package projections

import (
	"context"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Ledger is where a runner catches up: the part of eventstore.Store that it needs.
type Ledger interface {
	Shards() int
	ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error)
	Heads(ctx context.Context) ([]eventstore.Head, error)
}

// Decoder turns an envelope into its event. Its error holds an *eventstore.KeyError if the key could not be had, which
// another try may mend; any other error is the event's fault.
type Decoder interface {
	Decode(ctx context.Context, e eventstore.Envelope) (domain.Event, error)
}

var (
	_ Ledger  = eventstore.Store(nil)
	_ Decoder = (*eventstore.Codec)(nil)
)

// Feed delivers new events soon. It is an accelerator: what it loses, the runner finds in the ledger.
type Feed interface {
	// Follow calls handle with envelopes of one shard per call, in the order of the shard, duplicates and gaps
	// allowed, until ctx ends. An error of handle means that ctx has ended.
	Follow(ctx context.Context, handle func(ctx context.Context, batch []eventstore.Envelope) error) error
}
