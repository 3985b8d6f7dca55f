package commands

import (
	"errors"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Config is what a Ledger is made of.
type Config struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	// Snapshots keeps folded accounts; nil folds every account from its first event.
	Snapshots eventstore.Snapshots
}

// Validate reports everything that is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("commands: no store"))
	}
	if c.Codec == nil {
		errs = append(errs, errors.New("commands: no codec"))
	}
	return errors.Join(errs...)
}

// Ledger runs the use cases. Its methods are safe for concurrent use.
type Ledger struct {
	store  eventstore.Store
	codec  *eventstore.Codec
	kept   eventstore.Snapshots
	shards []*shard
}

// New returns a Ledger.
func New(c Config) (*Ledger, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	l := &Ledger{store: c.Store, codec: c.Codec, kept: c.Snapshots, shards: make([]*shard, c.Store.Shards())}
	for id := range l.shards {
		l.shards[id] = newShard(l, id)
	}
	return l, nil
}

func (l *Ledger) shardOf(account domain.AccountID) *shard {
	return l.shards[eventstore.ShardOf(account, len(l.shards))]
}

// Caller says on whose behalf a command runs.
type Caller struct {
	Account domain.AccountID
	// Actor is who asked: an API key id, a worker, or "system".
	Actor string
	// Correlation is the request id that the caller was given.
	Correlation string
	// Idempotency is nil for commands whose own state makes a repetition harmless.
	Idempotency *Idempotency
}

// Idempotency makes a command happen once. The first outcome under a key is kept for ever, refusals included.
type Idempotency struct {
	Key         string
	RequestHash eventstore.Hash
}

// Receipt is the answer to a command.
type Receipt[R any] struct {
	Result R
	// Position is where the command's last event stands; zero if it caused none.
	Position eventstore.Position
	// Replayed says that this is the recorded outcome of an earlier command with the same key.
	Replayed bool
}
