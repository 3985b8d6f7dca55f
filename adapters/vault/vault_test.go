package vault_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/vault"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/internal/pgtest"
)

const (
	alice domain.AccountID = "acc_01k00000000000000000000001"
	bob   domain.AccountID = "acc_01k00000000000000000000002"
	first domain.KeyID     = "key_01k00000000000000000000001"
	other domain.KeyID     = "key_01k00000000000000000000002"
)

func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.New(t, pgtest.Schema{})
	require.NoError(t, vault.Migrate(t.Context(), pool))
	return pool
}

func open(t *testing.T, pool *pgxpool.Pool, master byte) *vault.Vault {
	t.Helper()
	v, err := vault.New(vault.Config{Pool: pool, MasterKey: bytes.Repeat([]byte{master}, 32)})
	require.NoError(t, err)
	return v
}

func TestAPIKeyStandsForItsAccountUntilRevoked(t *testing.T) {
	t.Parallel()
	v := open(t, newPool(t), 1)
	key, secret, err := v.Create(t.Context(), alice, first, "laptop")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(secret, strings.TrimSuffix(key.Prefix, "…")))

	who, err := v.Authenticate(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, vault.Identity{Key: first, Account: alice}, who)

	require.Equal(t, domain.CodeNotFound, domain.CodeOf(v.Revoke(t.Context(), bob, first)))
	require.Equal(t, domain.CodeConflict, domain.CodeOf(v.Revoke(t.Context(), alice, first)), "it is the last one")
	_, _, err = v.Create(t.Context(), alice, other, "phone")
	require.NoError(t, err)
	require.NoError(t, v.Revoke(t.Context(), alice, first))
	require.NoError(t, v.Revoke(t.Context(), alice, first))
	_, err = v.Authenticate(t.Context(), secret)
	require.ErrorIs(t, err, vault.ErrUnknownKey)
	keys, err := v.List(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, other, keys[0].ID)
}

func TestWrongKeysAreUnknown(t *testing.T) {
	t.Parallel()
	v := open(t, newPool(t), 1)
	_, secret, err := v.Create(t.Context(), alice, first, "")
	require.NoError(t, err)
	last := secret[len(secret)-2]
	flipped := byte('A')
	if last == flipped {
		flipped = 'B'
	}
	wrong := []string{
		"", "pv_", "pv__", secret + "x", secret[:len(secret)-1], strings.ToUpper(secret),
		secret[:len(secret)-2] + string(flipped) + secret[len(secret)-1:],
		strings.Replace(secret, string(first)[4:], string(other)[4:], 1),
	}
	for _, key := range wrong {
		_, err := v.Authenticate(t.Context(), key)
		require.ErrorIs(t, err, vault.ErrUnknownKey, "%q", key)
	}
}

func TestFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	v := open(t, newPool(t), 1)
	made := make(chan bool, 8)
	var all sync.WaitGroup
	for i := range cap(made) {
		all.Go(func() {
			id := first[:len(first)-1] + domain.KeyID("23456789"[i:i+1])
			_, _, ok, err := v.CreateFirst(t.Context(), alice, id, "")
			made <- ok && err == nil
		})
	}
	all.Wait()
	close(made)
	count := 0
	for ok := range made {
		if ok {
			count++
		}
	}
	require.Equal(t, 1, count)
}

func TestLastUseIsNoted(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	v, err := vault.New(vault.Config{Pool: pool, MasterKey: make([]byte, 32), Now: func() time.Time { return now }})
	require.NoError(t, err)
	_, secret, err := v.Create(t.Context(), alice, first, "")
	require.NoError(t, err)
	now = now.Add(time.Hour)
	_, err = v.Authenticate(t.Context(), secret)
	require.NoError(t, err)
	keys, err := v.List(t.Context(), alice)
	require.NoError(t, err)
	require.WithinDuration(t, now, keys[0].LastUsed, 0)
}

func TestDataKeyIsTheSameEverywhereAndGoneOnceErased(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	one, two := open(t, pool, 1), open(t, pool, 1)
	keys := make([][]byte, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() { keys[i], _ = []*vault.Vault{one, two}[i%2].Key(context.WithoutCancel(t.Context()), alice) })
	}
	all.Wait()
	require.Len(t, keys[0], eventstore.DataKeyBytes)
	for _, key := range keys {
		require.Equal(t, keys[0], key)
	}
	theirs, err := one.Key(t.Context(), bob)
	require.NoError(t, err)
	require.NotEqual(t, keys[0], theirs)

	require.NoError(t, one.Erase(t.Context(), alice))
	_, err = one.Key(t.Context(), alice)
	require.ErrorIs(t, err, eventstore.ErrKeyErased)
	_, err = open(t, pool, 1).Key(t.Context(), alice)
	require.ErrorIs(t, err, eventstore.ErrKeyErased)
}

func TestDataKeyNeedsItsMasterKey(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	_, err := open(t, pool, 1).Key(t.Context(), alice)
	require.NoError(t, err)
	_, err = open(t, pool, 2).Key(t.Context(), alice)
	require.ErrorContains(t, err, "master key")
}
