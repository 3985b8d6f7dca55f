package eventstore

import (
	"context"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of one call.
const (
	UnitsMax      = 1024    // units of one append
	EventsMax     = 8192    // events of one append
	EventBytesMax = 1 << 19 // data and metadata of one event; with its headers it fits into a Kafka message
	ReadMax       = 5000    // events of one read
	KeyBytesMax   = 255     // an idempotency key
	MissedMax     = 1000    // events that a caller is told it has missed in a shard
	KeysMax       = 1000    // idempotency keys of one read
)

// Store is the record. All implementations pass storetest.Run. Methods are safe for concurrent use.
// Errors other than ctx's and those named are internal.
type Store interface {
	// Shards returns the number of shards, fixed when the ledger was created.
	Shards() int
	// Append records the batches, of different shards, and answers each. All events of a batch get adjacent positions
	// in the order of its units, in one transaction; several batches may share one. A unit that cannot be appended
	// costs only itself. No two units of a batch may be of the same account. The whole call is refused with CodeInvalid
	// if a unit breaks a bound, belongs to another shard, or skips a version.
	// With an error the caller does not know whether anything was recorded; asking again is safe, since either the
	// versions or the idempotency keys will show it.
	Append(ctx context.Context, batches []Batch) ([]Appended, error)
	// ReadStreams returns the events after the given version of each stream, ordered by stream, then version, and up to
	// limit of them in all: only an answer with fewer holds everything of every stream.
	ReadStreams(ctx context.Context, shard int, after []StreamVersion, limit int) ([]Envelope, error)
	// ReadShard returns up to limit events after a position, in order.
	ReadShard(ctx context.Context, shard int, after int64, limit int) ([]Envelope, error)
	// Heads returns the newest position and chain hash of every shard, indexed by shard.
	Heads(ctx context.Context) ([]Head, error)
	// Outcomes returns what was recorded for some idempotency keys, up to KeysMax, and leaves out those for which nothing
	// was.
	Outcomes(ctx context.Context, keys []OutcomeKey) (map[OutcomeKey]Outcome, error)
}

// OutcomeKey is an idempotency key of an account.
type OutcomeKey struct {
	Account domain.AccountID
	Key     string
}

// Snapshots keeps folded streams, so that long ones need not be read whole. It is a cache: every snapshot may vanish at
// any time, and none of them is the truth. Methods are safe for concurrent use.
type Snapshots interface {
	// LoadSnapshots returns the newest snapshot of each of the streams that has one.
	LoadSnapshots(ctx context.Context, shard int, streams []string) ([]Snapshot, error)
	// SaveSnapshots keeps each of the snapshots unless a newer one of its stream is there.
	SaveSnapshots(ctx context.Context, all []Snapshot) error
}

// Snapshot is a folded stream.
type Snapshot struct {
	StreamVersion
	Shard  int
	Format int    // the caller's; others than the current one are of no use
	State  []byte // JSON
}

// StreamVersion is a place in a stream: after its first Version events.
type StreamVersion struct {
	Stream  string
	Version int64
}

// Head is the end of a shard.
type Head struct {
	Pos   int64
	Chain Hash
}

// Batch is what is appended to one shard.
type Batch struct {
	Shard int
	// Known is a head up to which the caller knows every stream of the units, or nil. Only what was appended since can
	// have moved them on, so a store need look at nothing else: it is a matter of speed only.
	Known *Head
	// Check has the store look at every stream all the same: the caller knows some of them less far.
	Check bool
	Units []Unit
}

// Appended is what became of a batch.
type Appended struct {
	Results []Result // one for each unit, in order
	// Before and After are the heads of the shard around the batch.
	Before, After Head
	// Missed is all that was appended between Known and Before, in order, without hashes and times. It is nil if nothing
	// was, if Known is nil or not in this shard's past, or if there are more than MissedMax.
	Missed []Envelope
}

// Unit is what one account does at once: recorded whole or not at all.
type Unit struct {
	Account domain.AccountID
	// Events in the order in which they get positions. The versions of each stream follow each other without gaps;
	// the first must be the stream's next version, else the result is StatusConflict.
	Events []NewEvent
	// Reads are streams that the unit was decided on without adding to them. Each must still be at exactly this version,
	// else the result is StatusConflict: so an answer that changes nothing is no older than one that does.
	Reads []StreamVersion
	// Outcomes of the commands that caused the events, or that were refused and caused none.
	Outcomes []NewOutcome
}

// NewEvent is an encoded event that has no position yet.
type NewEvent struct {
	Stream   string
	Version  int64
	Type     string
	Data     []byte // JSON
	Metadata []byte // JSON
}

// NewOutcome records what a command answered under its idempotency key.
type NewOutcome struct {
	Key         string
	RequestHash RequestHash
	// Body is JSON, the caller's own, or nil if the command's own events tell all of it.
	Body []byte
	// Events is how many events of the unit had been caused when this command was done: the last of them gives the
	// outcome its position, and no other outcome may have it. 0 means that the command caused none.
	Events int
	// Span is how many of them the command has caused itself: the last ones.
	Span int
}

// Outcome is a recorded NewOutcome.
type Outcome struct {
	Key         string
	RequestHash RequestHash
	Body        []byte
	Events      []Envelope // what the command has caused, if there is no Body
	Position    Position   // zero if the command caused no events
}

// Status says what became of a unit.
type Status int

// The statuses.
const (
	// StatusAppended means that everything in the unit was recorded.
	StatusAppended Status = iota + 1
	// StatusConflict means that a stream has moved on: read its newer events and decide again.
	StatusConflict
	// StatusDuplicate means that one of the idempotency keys was recorded before: answer from its Outcome.
	StatusDuplicate
)

// Result is what became of one unit.
type Result struct {
	Status Status
	// First is the position of the unit's first event. Without events it is the head of the shard.
	First int64
}
