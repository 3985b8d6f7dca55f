package vault_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/vault"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// watched is a vault with a clock of its own, whose statements are counted.
type watched struct {
	*vault.Vault
	pool       *pgxpool.Pool
	statements atomic.Int64
	now        atomic.Pointer[time.Time]
}

func (w *watched) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	w.statements.Add(1)
	return ctx
}

func (w *watched) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func watch(t *testing.T, url string) *watched {
	t.Helper()
	w := &watched{}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.now.Store(&start)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.ConnConfig.Tracer = w
	w.pool, err = pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(w.pool.Close)
	require.NoError(t, vault.Migrate(t.Context(), w.pool))
	w.Vault, err = vault.New(vault.Config{
		Pool: w.pool, MasterKey: make([]byte, 32), Now: func() time.Time { return *w.now.Load() },
	})
	require.NoError(t, err)
	return w
}

func (w *watched) pass(d time.Duration) {
	later := w.now.Load().Add(d)
	w.now.Store(&later)
}

// checked waits until the keys that are due have been checked again.
func (w *watched) checked(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return !w.Checking() }, time.Minute, time.Millisecond)
}

func (w *watched) keys(t *testing.T, n int) (secrets []string) {
	t.Helper()
	for i := range n {
		id := domain.KeyID(fmt.Sprintf("key_01k%023d", i))
		_, secret, err := w.Create(t.Context(), alice, id, "")
		require.NoError(t, err)
		secrets = append(secrets, secret)
	}
	return secrets
}

func (w *watched) authenticate(t *testing.T, secrets []string) (statements int) {
	t.Helper()
	before := w.statements.Load()
	for _, secret := range secrets {
		_, err := w.Authenticate(t.Context(), secret)
		require.NoError(t, err)
	}
	return int(w.statements.Load() - before)
}

// Keys that are used all the time are checked together, and cost no query each.
func TestKeysAreCheckedTogether(t *testing.T) {
	t.Parallel()
	w := watch(t, pgtest.URL(t, pgtest.Schema{}))
	secrets := w.keys(t, 50)
	require.Equal(t, 50, w.authenticate(t, secrets))
	require.Zero(t, w.authenticate(t, secrets))
	for range 10 {
		before := w.statements.Load()
		w.pass(vault.AgainAfter)
		w.authenticate(t, secrets)
		w.checked(t)
		require.LessOrEqual(t, w.statements.Load()-before, int64(2), "one, or two if some came too late for it")
	}
	w.pass(vault.TrustedFor)
	require.Equal(t, 50, w.authenticate(t, secrets), "nobody used them meanwhile")
}

// A key that was revoked on another server ends here with the next check.
func TestKeyRevokedElsewhere(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t, pgtest.Schema{})
	here, there := watch(t, url), watch(t, url)
	secrets := here.keys(t, 2)
	here.authenticate(t, secrets)
	require.NoError(t, there.Revoke(t.Context(), alice, "key_01k00000000000000000000000"))
	here.pass(vault.AgainAfter)
	here.authenticate(t, secrets) // both are trusted still
	here.checked(t)
	_, err := here.Authenticate(t.Context(), secrets[0])
	require.ErrorIs(t, err, vault.ErrUnknownKey)
	require.Zero(t, here.authenticate(t, secrets[1:]))
}

// Where the database does not answer, trust ends.
func TestTrustEndsWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	w := watch(t, pgtest.URL(t, pgtest.Schema{}))
	secrets := w.keys(t, 1)
	w.authenticate(t, secrets)
	w.pool.Close()
	w.pass(vault.AgainAfter)
	w.authenticate(t, secrets)
	w.checked(t)
	w.authenticate(t, secrets)
	w.checked(t)
	w.pass(vault.TrustedFor - vault.AgainAfter)
	_, err := w.Authenticate(t.Context(), secrets[0])
	require.Error(t, err)
	require.NotErrorIs(t, err, vault.ErrUnknownKey)
}

// A check notes that the key is used, as a first look does.
func TestLastUseIsNotedByChecks(t *testing.T) {
	t.Parallel()
	w := watch(t, pgtest.URL(t, pgtest.Schema{}))
	secrets := w.keys(t, 1)
	w.pass(time.Minute - time.Second)
	w.authenticate(t, secrets)
	w.pass(vault.AgainAfter)
	w.authenticate(t, secrets)
	w.checked(t)
	keys, err := w.List(t.Context(), alice)
	require.NoError(t, err)
	require.WithinDuration(t, *w.now.Load(), keys[0].LastUsed, 0)
}
