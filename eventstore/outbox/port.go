package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/pingvas/pingvas/eventstore"
)

// Ledger is the part of eventstore.Store that is published.
type Ledger interface {
	Shards() int
	ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error)
	Heads(ctx context.Context) ([]eventstore.Head, error)
}

// Record is an event as it is published.
type Record struct {
	Key     string // the account
	Value   []byte
	Headers map[string]string
}

// Publisher writes to one partition of a topic.
type Publisher interface {
	// Publish writes the records in order and returns when all replicas have acknowledged them, with the offset of the
	// last one, or OffsetUnknown. At the first error it stops: nothing after the record that failed was written.
	Publish(ctx context.Context, topic string, partition int, records []Record) (last int64, err error)
}

// OffsetUnknown stands for an offset that the broker does not tell.
const OffsetUnknown int64 = -1

// HeaderRepeated is set on records that were published again at an operator's wish. They stand anywhere in a partition,
// so nothing follows from where they are.
const HeaderRepeated = "pingvas_repeated"

// Tail is the end of a partition, without records that have HeaderRepeated.
type Tail struct {
	// Known is false if the partition has had records but holds none any more, so its end says nothing.
	Known bool
	// Pos is the position of the event in the last record, or 0 in a partition that never had one.
	Pos int64
	// Offset is that of the last record.
	Offset int64
	// Chain is the chain hash of that event; without one it is zero.
	Chain eventstore.Hash
}

// Tails looks at the ends of partitions.
type Tails interface {
	Tail(ctx context.Context, topic string, partition int) (Tail, error)
}

// ErrMoved means that a checkpoint is not where the caller believes: somebody else has moved it.
var ErrMoved = errors.New("the checkpoint was moved by another outbox")

// Checkpoints say how far each shard was published.
type Checkpoints interface {
	// Load returns the position of the last published event, 0 at first.
	Load(ctx context.Context, shard int) (int64, error)
	// Move sets the position if it is still at from, or returns ErrMoved.
	Move(ctx context.Context, shard int, from, to int64) error
}

// Leadership makes one process the leader of a group of shards.
type Leadership interface {
	// Lead waits until this process leads the group, then calls work with a context that ends when it does not any
	// more, and returns what work returned. It returns ctx's error if ctx ends before.
	Lead(ctx context.Context, group int, work func(ctx context.Context) error) error
}

// Metrics is told how the outbox does. Its methods must return at once and are called by several shards at a time.
type Metrics interface {
	// Leads reports that this process has become the leader of a shard, or is not any more.
	Leads(shard int, leads bool)
	// Lag reports how many events of a shard are not published, and the age of the oldest of them; both may be 0. It is
	// called again and again, also while nothing can be published.
	Lag(shard int, events int64, age time.Duration)
	// Published reports that events were acknowledged.
	Published(shard, events int)
	// Failed reports a failed try: an alarm if it is repeated.
	Failed(shard int, err error)
	// Lost reports that the partition of a shard has lost events, which are published again.
	Lost(shard int, events int64)
}

type noMetrics struct{}

func (noMetrics) Leads(int, bool)               {}
func (noMetrics) Lag(int, int64, time.Duration) {}
func (noMetrics) Published(int, int)            {}
func (noMetrics) Failed(int, error)             {}
func (noMetrics) Lost(int, int64)               {}
