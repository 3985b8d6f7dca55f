package queries

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/gallery"
	"github.com/pingvas/pingvas/projections/generations"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/statement"
	"github.com/pingvas/pingvas/projections/usage"
)

const (
	// WaitMax is how long a query waits for Read.Min.
	WaitMax = 2 * time.Second
	// missingWaitMax is how long a query waits before it says that something is not there.
	missingWaitMax = time.Second
	// CursorKeyBytes is the least length of Config.CursorKey.
	CursorKeyBytes = 32
	// LimitDefault and LimitMax bound a page.
	LimitDefault = 50
	LimitMax     = 200
)

// Config is what New needs.
type Config struct {
	// Pool connects as projections.RoleApp, or another role that may take on the reader's and the operator's.
	Pool   *pgxpool.Pool
	Ledger Ledger
	// Engine finds images; without one Search answers CodeUnavailable, for processes that only ask about jobs.
	Engine search.Engine
	// Signal is that of the runners, if they are in this process, else nil.
	Signal *projections.Signal
	// CursorKey signs cursors: at least CursorKeyBytes, the same on all servers.
	CursorKey []byte
	// Observer is told how reading one's own writes goes; nil means nobody is.
	Observer Observer
}

// Observer is told what readers wait for. Its methods must return at once.
type Observer interface {
	// Waited reports how long a reader waited for its position, and whether it was answered without it.
	Waited(took time.Duration, stale bool)
}

type silent struct{}

// Waited implements Observer.
func (silent) Waited(time.Duration, bool) {}

// Validate returns everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Pool == nil {
		errs = append(errs, errors.New("queries need a pool"))
	}
	if c.Ledger == nil {
		errs = append(errs, errors.New("queries need a ledger"))
	}
	if len(c.CursorKey) < CursorKeyBytes {
		errs = append(errs, fmt.Errorf("the cursor key has %d bytes, fewer than %d", len(c.CursorKey), CursorKeyBytes))
	}
	return errors.Join(errs...)
}

// Service answers questions from the read models.
type Service struct {
	cfg   Config
	views views
}

// views are how far each view has come.
type views struct {
	balance, statement, generations, gallery, usage, search projections.Progress
}

// New returns a service. It does not connect.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Observer == nil {
		cfg.Observer = silent{}
	}
	of := func(p projections.Projection) projections.Progress { return projections.ProgressOf(p, cfg.Signal) }
	return &Service{cfg: cfg, views: views{
		balance: of(balance.New()), statement: of(statement.New()), generations: of(generations.New()),
		gallery: of(gallery.New()), usage: of(usage.New()), search: of(search.New(cfg.Engine)),
	}}, nil
}

// Read says who asks and what the answer must know of.
type Read struct {
	// Account is whose data is read. Nothing of another account is ever answered.
	Account domain.AccountID
	// Min is a position that the answer should know of; zero is none. One of another shard than the account's is
	// CodeInvalid at "min_position".
	Min eventstore.Position
}

// As says what an answer knows of.
type As struct {
	Position eventstore.Position
	// Stale says that Read.Min was not reached within WaitMax.
	Stale bool
}

// Page asks for a part of a list.
type Page struct {
	// Cursor is the Next of the page before, or empty. A cursor that was not given for the same account and filters
	// is CodeInvalid at "cursor".
	Cursor string
	// Limit is between 1 and LimitMax; 0 means LimitDefault. Others are CodeInvalid at "limit".
	Limit int
}
