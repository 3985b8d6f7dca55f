package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// masterKeyBytes is the length of the master key: AES-256.
const masterKeyBytes = 32

var _ eventstore.Keyring = (*Vault)(nil)

// Whichever of two racing processes comes first decides the key; both read what is stored.
const (
	insertDataKey = `INSERT INTO vault.data_keys (account, wrapped) VALUES ($1, $2) ON CONFLICT (account) DO NOTHING`
	selectDataKey = `SELECT wrapped FROM vault.data_keys WHERE account = $1`
	eraseDataKey  = `
INSERT INTO vault.data_keys (account, wrapped, erased_at) VALUES ($1, NULL, $2)
ON CONFLICT (account) DO UPDATE SET wrapped = NULL, erased_at = coalesce(vault.data_keys.erased_at, excluded.erased_at)`
)

// Key implements eventstore.Keyring.
func (v *Vault) Key(ctx context.Context, account domain.AccountID) ([]byte, error) {
	if key, ok := v.data.Get(account); ok {
		return key, nil
	}
	wrapped, err := v.stored(ctx, account)
	if errors.Is(err, pgx.ErrNoRows) {
		if err := v.makeKey(ctx, account); err != nil {
			return nil, err
		}
		wrapped, err = v.stored(ctx, account)
	}
	if err != nil {
		return nil, fmt.Errorf("read a data key: %w", err)
	}
	if wrapped == nil {
		return nil, eventstore.ErrKeyErased
	}
	key, err := v.unwrapKey(account, wrapped)
	if err != nil {
		return nil, err
	}
	v.data.Add(account, key)
	return key, nil
}

// stored returns the account's wrapped key, nil if it was erased, or pgx.ErrNoRows if there was never one.
func (v *Vault) stored(ctx context.Context, account domain.AccountID) (wrapped []byte, err error) {
	err = v.pool.QueryRow(ctx, selectDataKey, account).Scan(&wrapped)
	return wrapped, err
}

// makeKey stores a fresh key, unless another process was faster.
func (v *Vault) makeKey(ctx context.Context, account domain.AccountID) error {
	fresh := make([]byte, eventstore.DataKeyBytes)
	if _, err := rand.Read(fresh); err != nil {
		return fmt.Errorf("draw a data key: %w", err)
	}
	wrapped, err := v.wrapKey(account, fresh)
	if err != nil {
		return err
	}
	if _, err := v.pool.Exec(ctx, insertDataKey, account, wrapped); err != nil {
		return fmt.Errorf("store a data key: %w", err)
	}
	return nil
}

// Erase forgets the account's data key for ever.
func (v *Vault) Erase(ctx context.Context, account domain.AccountID) error {
	if _, err := v.pool.Exec(ctx, eraseDataKey, account, v.now()); err != nil {
		return fmt.Errorf("erase a data key: %w", err)
	}
	v.data.Remove(account)
	return nil
}

func (v *Vault) wrapKey(account domain.AccountID, key []byte) ([]byte, error) {
	nonce := make([]byte, v.wrap.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return v.wrap.Seal(nonce, nonce, key, []byte(account)), nil
}

func (v *Vault) unwrapKey(account domain.AccountID, wrapped []byte) ([]byte, error) {
	n := v.wrap.NonceSize()
	if len(wrapped) < n {
		return nil, fmt.Errorf("the data key of %s is malformed", account)
	}
	key, err := v.wrap.Open(nil, wrapped[:n], wrapped[n:], []byte(account))
	if err != nil {
		return nil, fmt.Errorf("the data key of %s does not open with this master key", account)
	}
	return key, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the master key: %w", err)
	}
	return cipher.NewGCM(block)
}
