package projections

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Event is a recorded event in the clear.
type Event struct {
	eventstore.Envelope
	Event domain.Event
	Meta  eventstore.Metadata
}

// Projection turns events into the rows of one view. It is stateless: all it knows stands in its tables, so that a
// batch which is rolled back leaves nothing behind. Methods are safe for concurrent use by shards.
type Projection interface {
	// Name is the stable name of the view: lower-case letters.
	Name() string
	// Version rises when the shape or the meaning of the rows changes; the new version is built anew.
	Version() int
	// Schema is the DDL of the view, with unqualified names: the runner sets the search path. Every table has a column
	// shard, because a digest covers the rows of one shard.
	Schema() string
	// Handles reports whether Apply wants events of this type.
	Handles(eventType string) bool
	// Apply folds a batch of one shard, in order, into the view. The search path is that of the view. An error that
	// another try may mend is wrapped in a TransientError unless the database or the context caused it.
	Apply(ctx context.Context, tx pgx.Tx, batch []Event) error
}

// Sink is a Projection that writes to something outside of Postgres too. Writes to it must be idempotent, because
// they are not undone when the transaction is.
type Sink interface {
	Projection
	// SinkID identifies what is in the sink. Another id means that the contents are not those that the view wrote,
	// so the view is built again from the beginning.
	SinkID(ctx context.Context) (string, error)
	// Clear empties the sink. Its id changes.
	Clear(ctx context.Context) error
	// Rows returns the same view without its sink, to be replayed for comparison.
	Rows() Projection
}

// Swappable is a Sink that can be built beside the one that readers use, such as an index behind an alias.
type Swappable interface {
	Sink
	// Beside returns the view into a new, empty sink, which nobody reads yet. What an earlier call has left, because
	// its process ended, may be removed.
	Beside(ctx context.Context, build int) (Swappable, error)
	// Swap makes readers see this sink. It may be called again. The one before is let go of by a later Beside or Clear.
	Swap(ctx context.Context) error
	// Discard removes a sink that was never swapped in.
	Discard(ctx context.Context) error
}
