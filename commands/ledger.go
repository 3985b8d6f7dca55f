package commands

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Config is what a Ledger is made of.
type Config struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	// Snapshots keeps folded accounts; nil folds every account from its first event.
	Snapshots eventstore.Snapshots
	// Appenders is how many batches may be appended at once. Each has its share of the shards. 0 is one for each
	// processor, but not more than usualAppenders: few make large batches, which cost less for each command.
	Appenders int
	// StateBytes bounds the folded accounts and other streams that are kept in memory while no command uses them, by an
	// estimate of their bytes; a usual account has 3,000. 0 is 32 MiB for each appender.
	StateBytes int
	// LeaseMin is the shortest lease: how long a worker may be silent before its job is given to another. 0 means
	// LeaseMinDefault.
	LeaseMin time.Duration
}

// Numbers of appenders.
const (
	usualAppenders = 4
	AppendersMax   = 64
)

// Validate reports everything that is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("commands: no store"))
	}
	if c.Codec == nil {
		errs = append(errs, errors.New("commands: no codec"))
	}
	if c.Appenders < 0 || c.Appenders > AppendersMax {
		errs = append(errs, fmt.Errorf("commands: %d appenders, at most %d", c.Appenders, AppendersMax))
	}
	if c.StateBytes < 0 {
		errs = append(errs, fmt.Errorf("commands: %d bytes of states", c.StateBytes))
	}
	if c.LeaseMin < 0 || c.LeaseMin > leaseMax {
		errs = append(errs, fmt.Errorf("commands: a shortest lease of %s is not between 0 and %s", c.LeaseMin, leaseMax))
	}
	return errors.Join(errs...)
}

// Ledger runs the use cases. Its methods are safe for concurrent use.
type Ledger struct {
	store     eventstore.Store
	codec     *eventstore.Codec
	kept      eventstore.Snapshots
	appenders []*appender
	loads     chan struct{} // held while a page of streams is read
	turns     turns
	// leaseMin is Config.LeaseMin or its default.
	leaseMin time.Duration
}

// New returns a Ledger.
func New(c Config) (*Ledger, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	l := &Ledger{
		store: c.Store, codec: c.Codec, kept: c.Snapshots, leaseMin: cmp.Or(c.LeaseMin, LeaseMinDefault),
		loads: make(chan struct{}, loadsMax()), turns: newTurns(),
	}
	n := min(cmp.Or(c.Appenders, min(runtime.GOMAXPROCS(0), usualAppenders)), c.Store.Shards())
	for range n {
		l.appenders = append(l.appenders, newAppender(l, cmp.Or(c.StateBytes/n, stateBytesUsual)))
	}
	return l, nil
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

// check refuses what the store would refuse together with the commands of others.
func (c Caller) check() error {
	if err := c.Account.Check(); err != nil || c.Idempotency == nil {
		return err
	}
	return eventstore.CheckKey(c.Idempotency.Key)
}

// Idempotency makes a command happen once. The first outcome under a key is kept for ever, refusals included.
type Idempotency struct {
	Key         string
	RequestHash eventstore.RequestHash
}

// Receipt is the answer to a command.
type Receipt[R any] struct {
	Result R
	// Position is where the command's last event stands; zero if it caused none.
	Position eventstore.Position
	// Replayed says that this is the recorded outcome of an earlier command with the same key.
	Replayed bool
}
