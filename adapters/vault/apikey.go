package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
)

const (
	secretPrefix = "pv_"
	secretBytes  = 32
	// keyBytesMax is longer than any key.
	keyBytesMax = 256
	// usedEvery is how often the last use of a key is written down.
	usedEvery = time.Minute
	// KeysMax is how many live keys an account may have.
	KeysMax = 100
)

// Identity is whom an API key stands for.
type Identity struct {
	Key     domain.KeyID
	Account domain.AccountID
}

// APIKey describes an API key without its secret.
type APIKey struct {
	ID       domain.KeyID
	Name     string
	Prefix   string // the part that may be shown
	Created  time.Time
	LastUsed time.Time // zero if never
}

// ErrUnknownKey is the answer to every key that is malformed, unknown or revoked.
var ErrUnknownKey = errors.New("no such API key")

const selectHash = `
SELECT account, hash, coalesce(last_used_at, created_at) FROM vault.api_keys WHERE id = $1 AND revoked_at IS NULL`

// Authenticate returns whom a key stands for, or ErrUnknownKey.
func (v *Vault) Authenticate(ctx context.Context, key string) (Identity, error) {
	if len(key) > keyBytesMax {
		return Identity{}, ErrUnknownKey
	}
	whole, now := digest(sha256.Sum256([]byte(key))), v.now()
	who, trusted, again := v.known.find(whole, now)
	if again {
		go v.checkAgain()
	}
	if trusted {
		return who, nil
	}
	id, secret, ok := splitKey(key)
	if !ok {
		return Identity{}, ErrUnknownKey
	}
	secretHash := sha256.Sum256([]byte(secret))
	var account domain.AccountID
	var hash []byte
	var used time.Time
	err := v.pool.QueryRow(ctx, selectHash, id).Scan(&account, &hash, &used)
	if errors.Is(err, pgx.ErrNoRows) {
		return Identity{}, ErrUnknownKey
	}
	if err != nil {
		return Identity{}, fmt.Errorf("look up an API key: %w", err)
	}
	if subtle.ConstantTimeCompare(hash, secretHash[:]) != 1 {
		return Identity{}, ErrUnknownKey
	}
	who = Identity{Key: id, Account: account}
	v.known.add(&checked{digest: whole, who: who, at: now})
	if now.Sub(used) < usedEvery {
		return who, nil
	}
	return who, v.touch(ctx, id)
}

func (v *Vault) touch(ctx context.Context, id domain.KeyID) error {
	if _, err := v.pool.Exec(ctx, `UPDATE vault.api_keys SET last_used_at = $2 WHERE id = $1`, id, v.now()); err != nil {
		return fmt.Errorf("note the use of an API key: %w", err)
	}
	return nil
}

// The limit and the insert are one statement under the lock of createLock, so parallel calls cannot pass it together.
const (
	createLock = `SELECT pg_advisory_xact_lock(hashtextextended('vault.api_keys ' || $1, 0))`
	insertKey  = `
INSERT INTO vault.api_keys (id, account, name, hash, created_at)
SELECT $1, $2, $3, $4, $5
WHERE (SELECT count(*) FROM vault.api_keys WHERE account = $2 AND revoked_at IS NULL) < $6
  AND NOT ($7 AND EXISTS (SELECT FROM vault.api_keys WHERE account = $2))`
)

// Create makes an API key and returns it with its secret, which is not stored. CodeConflict if the account has
// KeysMax keys already.
func (v *Vault) Create(
	ctx context.Context, account domain.AccountID, id domain.KeyID, name string,
) (APIKey, string, error) {
	key, secret, made, err := v.create(ctx, account, id, name, false)
	if err == nil && !made {
		err = domain.Errorf(domain.CodeConflict, "an account may have %d keys at most", KeysMax)
	}
	return key, secret, err
}

// CreateFirst makes the account's first API key. It returns false, and no key, if the account ever had one.
func (v *Vault) CreateFirst(
	ctx context.Context, account domain.AccountID, id domain.KeyID, name string,
) (APIKey, string, bool, error) {
	return v.create(ctx, account, id, name, true)
}

func (v *Vault) create(
	ctx context.Context, account domain.AccountID, id domain.KeyID, name string, first bool,
) (APIKey, string, bool, error) {
	secret := make([]byte, secretBytes)
	if _, err := rand.Read(secret); err != nil {
		return APIKey{}, "", false, fmt.Errorf("draw a secret: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(secret)
	digest := sha256.Sum256([]byte(text))
	created := v.now()
	made := false
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, createLock, account); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, insertKey, id, account, name, digest[:], created, KeysMax, first)
		made = err == nil && tag.RowsAffected() == 1
		return err
	})
	if err != nil {
		return APIKey{}, "", false, fmt.Errorf("store an API key: %w", err)
	}
	if !made {
		return APIKey{}, "", false, nil
	}
	return APIKey{ID: id, Name: name, Prefix: shown(id), Created: created}, secretOf(id, text), true, nil
}

const selectKeys = `
SELECT id, name, created_at, last_used_at FROM vault.api_keys
WHERE account = $1 AND revoked_at IS NULL ORDER BY created_at, id`

// List returns the account's live keys, oldest first.
func (v *Vault) List(ctx context.Context, account domain.AccountID) ([]APIKey, error) {
	rows, err := v.pool.Query(ctx, selectKeys, account)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (APIKey, error) {
		var key APIKey
		var used *time.Time
		err := row.Scan(&key.ID, &key.Name, &key.Created, &used)
		if used != nil {
			key.LastUsed = *used
		}
		key.Prefix = shown(key.ID)
		return key, err
	})
}

const (
	selectLive = `
SELECT count(*) FILTER (WHERE id = $2), count(*) FILTER (WHERE id <> $2 AND revoked_at IS NULL),
       count(*) FILTER (WHERE id = $2 AND revoked_at IS NULL)
FROM vault.api_keys WHERE account = $1`
	revokeKey = `UPDATE vault.api_keys SET revoked_at = coalesce(revoked_at, $3) WHERE account = $1 AND id = $2`
)

// Revoke ends a key of the account. Revoking it again changes nothing. CodeNotFound if the account never had it,
// CodeConflict for its last key: nobody could use the account any more.
func (v *Vault) Revoke(ctx context.Context, account domain.AccountID, id domain.KeyID) error {
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, createLock, account); err != nil {
			return err
		}
		var known, others, live int
		if err := tx.QueryRow(ctx, selectLive, account, id).Scan(&known, &others, &live); err != nil {
			return err
		}
		switch {
		case known == 0:
			return domain.Errorf(domain.CodeNotFound, "there is no such key")
		case live == 1 && others == 0:
			return domain.Errorf(domain.CodeConflict, "this is the account's last key: make another one first")
		}
		_, err := tx.Exec(ctx, revokeKey, account, id, v.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", err)
	}
	v.known.forget(id)
	return nil
}

func secretOf(id domain.KeyID, secret string) string {
	return secretPrefix + strings.TrimPrefix(string(id), domain.PrefixKey) + "_" + secret
}

func shown(id domain.KeyID) string {
	return secretPrefix + strings.TrimPrefix(string(id), domain.PrefixKey) + "_…"
}

func splitKey(key string) (domain.KeyID, string, bool) {
	body, ok := strings.CutPrefix(key, secretPrefix)
	name, secret, cut := strings.Cut(body, "_")
	id := domain.KeyID(domain.PrefixKey + name)
	return id, secret, ok && cut && id.Check() == nil && len(secret) == base64.RawURLEncoding.EncodedLen(secretBytes)
}
