package projections

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults and bounds of a Config.
const (
	ParallelDefault = 4
	PageDefault     = 1000
	PageMax         = 5000
	PollDefault     = time.Second
	// HoldMaxDefault is far more than a batch takes.
	HoldMaxDefault = 10 * time.Second
)

// Config is what New needs.
type Config struct {
	Ledger     Ledger
	Decoder    Decoder
	Pool       *pgxpool.Pool
	Projection Projection
	// Strict stops a shard at an event that cannot be applied. Without it the event is parked.
	Strict bool
	// Feed delivers new events soon; nil means that only polling finds them.
	Feed Feed
	// Signal is told when the view moves on; nil means nobody is.
	Signal *Signal
	// Observer is told what happens; nil means nobody is.
	Observer Observer
	// Log gets what an operator should see; nil discards it.
	Log *slog.Logger
	// Parallel is how many shards catch up at once; 0 means ParallelDefault. Each takes a connection of the pool.
	Parallel int
	// Page is how many events are read and applied at once; 0 means PageDefault.
	Page int
	// Poll is how often the heads of the shards are looked at; 0 means PollDefault.
	Poll time.Duration
	// HoldMax is how long a process may stand still in a transaction of the view before Postgres takes its locks away;
	// 0 means HoldMaxDefault.
	HoldMax time.Duration
}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Ledger == nil || c.Decoder == nil || c.Pool == nil || c.Projection == nil {
		errs = append(errs, errors.New("a projection needs a ledger, a decoder, a pool and a projection"))
	}
	if c.Parallel < 0 {
		errs = append(errs, fmt.Errorf("%d shards cannot catch up at once", c.Parallel))
	}
	if c.Page < 0 || c.Page > PageMax {
		errs = append(errs, fmt.Errorf("a page of %d events is not between 1 and %d", c.Page, PageMax))
	}
	if c.Poll < 0 {
		errs = append(errs, fmt.Errorf("the poll interval %s is negative", c.Poll))
	}
	if c.HoldMax < 0 {
		errs = append(errs, fmt.Errorf("a process cannot stand still for %s", c.HoldMax))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Parallel == 0 {
		c.Parallel = ParallelDefault
	}
	if c.Page == 0 {
		c.Page = PageDefault
	}
	if c.Poll == 0 {
		c.Poll = PollDefault
	}
	if c.HoldMax == 0 {
		c.HoldMax = HoldMaxDefault
	}
	if c.Signal == nil {
		c.Signal = &Signal{}
	}
	if c.Observer == nil {
		c.Observer = silent{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Observer is told what a runner does, for metrics and alarms. Its methods must return at once and are called by
// several shards at a time.
type Observer interface {
	// Applied reports that the view has moved on by this many events, handled or not.
	Applied(projection string, shard, events int)
	// Lag reports by how many events the view is behind the head of the shard.
	Lag(projection string, shard int, events int64)
	// Stopped reports that a shard stands still: an alarm. It is repeated with every failed try.
	Stopped(projection string, shard int, err error)
	// Parked reports a new dead letter.
	Parked(projection string, shard int, pos int64)
}

type silent struct{}

func (silent) Applied(string, int, int)   {}
func (silent) Lag(string, int, int64)     {}
func (silent) Stopped(string, int, error) {}
func (silent) Parked(string, int, int64)  {}
