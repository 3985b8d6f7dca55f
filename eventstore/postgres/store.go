package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Config says where the ledger is.
type Config struct {
	// Pool connects to a migrated database. It stays the caller's to close.
	Pool *pgxpool.Pool
	// Shards is the number of shards that the ledger must have, or 0 for whatever it has.
	Shards int
}

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Pool == nil {
		errs = append(errs, errors.New("the ledger needs a connection pool"))
	}
	if c.Shards < 0 || c.Shards > eventstore.ShardsMax {
		errs = append(errs, fmt.Errorf("the ledger cannot have %d shards, at most %d", c.Shards,
			eventstore.ShardsMax))
	}
	return errors.Join(errs...)
}

// Store is an eventstore.Store in PostgreSQL.
type Store struct {
	pool   *pgxpool.Pool
	id     string
	shards int
}

var _ eventstore.Store = (*Store)(nil)

const openSQL = `SELECT ledger_id::text, shards, current_setting('server_encoding') FROM ledger.meta`

// Open returns the store in a migrated database. It fails if the ledger has another number of shards than wanted.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{pool: cfg.Pool}
	var encoding string
	if err := s.pool.QueryRow(ctx, openSQL).Scan(&s.id, &s.shards, &encoding); err != nil {
		return nil, failed(ctx, "open the ledger", err)
	}
	if encoding != "UTF8" {
		return nil, fmt.Errorf("open the ledger: the database's encoding is %s, must be UTF8", encoding)
	}
	if cfg.Shards != 0 && cfg.Shards != s.shards {
		return nil, shardsDiffer(s.shards, cfg.Shards)
	}
	return s, nil
}

func shardsDiffer(has, wanted int) error {
	return fmt.Errorf("the ledger was created with %d shards, which cannot change to %d", has, wanted)
}

// ID returns the ledger's own id, a UUID made when it was created.
func (s *Store) ID() string { return s.id }

// Shards implements eventstore.Store.
func (s *Store) Shards() int { return s.shards }

const headsSQL = `SELECT pos, chain FROM ledger.shards ORDER BY shard`

type headRow struct {
	Pos   int64
	Chain []byte
}

// Heads implements eventstore.Store. It reads one row for each shard, cheap enough to poll.
func (s *Store) Heads(ctx context.Context) ([]eventstore.Head, error) {
	rows, err := s.pool.Query(ctx, headsSQL)
	if err != nil {
		return nil, failed(ctx, "read the heads", err)
	}
	heads, err := pgx.CollectRows(rows, pgx.RowToStructByName[headRow])
	if err != nil {
		return nil, failed(ctx, "read the heads", err)
	}
	out := make([]eventstore.Head, len(heads))
	for i, h := range heads {
		out[i].Pos = h.Pos
		if out[i].Chain, err = hash(h.Chain); err != nil {
			return nil, fmt.Errorf("read the head of shard %d: %w", i, err)
		}
	}
	return out, nil
}

// SQLSTATEs of a database without the schema.
const (
	undefinedTable    = "42P01"
	undefinedFunction = "42883"
	invalidSchemaName = "3F000"
)

// Classes of SQLSTATEs of a server that is going away or has no room for us.
const (
	connectionLost  = "08"
	noRoom          = "53"
	operatorStopped = "57P"
)

// failed is the only place where errors of the driver are turned into those of the port.
func failed(ctx context.Context, doing string, err error) error {
	var pg *pgconn.PgError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case errors.As(err, &pg) && slices.Contains([]string{undefinedTable, undefinedFunction, invalidSchemaName}, pg.Code):
		return fmt.Errorf("%s: the database holds no ledger or an old one, migrate it first: %w", doing, err)
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("%s: the migration did not finish, migrate again", doing)
	case away(err, pg):
		out := domain.Errorf(domain.CodeUnavailable, "the ledger does not answer just now")
		return fmt.Errorf("%s: %w: %w", doing, out, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// away reports whether the server could not be reached, went away in between, or had no room for us. Asking again is
// safe, whether or not the call took effect.
func away(err error, pg *pgconn.PgError) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, pgconn.ErrConnClosed) {
		return true
	}
	return pg != nil && slices.ContainsFunc([]string{connectionLost, noRoom, operatorStopped}, func(class string) bool {
		return strings.HasPrefix(pg.Code, class)
	})
}
