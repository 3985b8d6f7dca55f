package vault

import (
	"context"
	"crypto/cipher"
	_ "embed" // schema.sql
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/domain"
)

//go:embed schema.sql
var schema string

// The cache of data keys: one can be used for cacheTTL at most after its erasure.
const (
	cacheSize = 10_000
	cacheTTL  = 5 * time.Second
)

// Config is what a Vault is made of.
type Config struct {
	Pool *pgxpool.Pool
	// MasterKey wraps the data keys: 32 bytes, the same in every process of one ledger.
	MasterKey []byte
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Validate reports everything that is missing.
func (c Config) Validate() error {
	var errs []error
	if c.Pool == nil {
		errs = append(errs, errors.New("vault: no pool"))
	}
	if len(c.MasterKey) != masterKeyBytes {
		errs = append(errs, fmt.Errorf("vault: the master key has %d bytes and needs %d", len(c.MasterKey), masterKeyBytes))
	}
	return errors.Join(errs...)
}

// Vault is safe for concurrent use.
type Vault struct {
	pool  *pgxpool.Pool
	now   func() time.Time
	wrap  cipher.AEAD
	data  *expirable.LRU[domain.AccountID, []byte]
	known *known
}

// New returns a vault on a migrated database.
func New(c Config) (*Vault, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	wrap, err := newAEAD(c.MasterKey)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	known, err := newKnown()
	return &Vault{
		pool: c.Pool, now: c.Now, wrap: wrap, known: known,
		data: expirable.NewLRU[domain.AccountID, []byte](cacheSize, nil, cacheTTL),
	}, err
}

// migrateLock keeps concurrent migrations apart; the number is arbitrary.
const migrateLock = 0x70767661756c74

// Migrate creates what is missing. It may run concurrently.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	tx, err := pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin the vault's migration: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
		return fmt.Errorf("lock the vault's migration: %w", err)
	}
	if _, err := tx.Exec(ctx, schema); err != nil {
		return fmt.Errorf("migrate the vault: %w", err)
	}
	return tx.Commit(ctx)
}
