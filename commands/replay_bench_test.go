package commands_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// The size of the benchmark of replays.
const (
	replayClients  = 256
	replayAccounts = 64
)

// replays is a ledger with commands of clients that reserve and release, some of which ask again.
type replays struct{ ledger *commands.Ledger }

// pair reserves and releases under two keys.
func (r *replays) pair(ctx context.Context, number, serial int) error {
	c := commands.Caller{Account: accountOf(number), Actor: "bench"}
	reservation := domain.ReservationID(id("res_", serial))
	_, err := r.ledger.ReserveCredits(ctx, keyed(c, fmt.Sprint("reserve ", serial), 1), account.Reserve{
		Reservation: reservation, Amount: 1, Expires: noon.Add(time.Hour), At: noon,
	})
	if err != nil {
		return err
	}
	_, err = r.ledger.ReleaseCredits(ctx, keyed(c, fmt.Sprint("release ", serial), 1), account.Release{
		Reservation: reservation, Reason: "bench", At: noon,
	})
	return err
}

// clients share pairs with these numbers among them.
func (r *replays) clients(b *testing.B, pairs int, send func(n int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range replayClients {
		all.Go(func() {
			for n := int(next.Add(1)); n <= pairs; n = int(next.Add(1)) {
				if err := send(n); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkReplays measures what new commands cost while others ask again for outcomes that were recorded long ago by
// another process: the time is for one new command.
func BenchmarkReplays(b *testing.B) {
	for _, accounts := range []int{1, replayAccounts} {
		for _, share := range []int{0, 10} {
			b.Run(fmt.Sprintf("accounts=%d/replays=%d%%", accounts, share), func(b *testing.B) {
				benchmarkReplays(b, accounts, accounts, share)
			})
		}
	}
	b.Run(fmt.Sprintf("accounts=%d/replays=10%%/of=1", replayAccounts), func(b *testing.B) {
		benchmarkReplays(b, replayAccounts, 1, 10)
	})
}

// benchmarkReplays has so many of the accounts repeat themselves.
func benchmarkReplays(b *testing.B, accounts, repeaters, share int) {
	config, err := pgxpool.ParseConfig(pgtest.URL(b, pgtest.Schema{
		Hash:    postgres.MigrationHash() + "-replays",
		Migrate: func(ctx context.Context, url string) error { return postgres.Migrate(ctx, url, 4) },
	}))
	require.NoError(b, err)
	postgres.ByIndex(config)
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	store, err := postgres.Open(b.Context(), postgres.Config{Pool: pool})
	require.NoError(b, err)
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(b, err)
	newLedger := func() *commands.Ledger {
		ledger, err := commands.New(commands.Config{Store: store, Codec: codec, Snapshots: store})
		require.NoError(b, err)
		return ledger
	}
	before := &replays{ledger: newLedger()}
	for n := range accounts {
		open := account.Open{
			Account: accountOf(n), Tier: domain.TierPro, Limits: account.Limits{Slots: 2 * replayClients}, At: noon,
		}
		grant := account.GrantCredits{
			Grant: domain.GrantID(id("grt_", n)), Source: account.SourcePlan, Amount: 1_000_000, Effective: noon, At: noon,
		}
		require.NoError(b, before.ledger.ImportAccount(b.Context(), commands.Caller{Account: open.Account}, open, grant))
	}
	old := b.N * share / 100
	before.clients(b, old, func(n int) error { return before.pair(b.Context(), n%repeaters, n) })

	now := &replays{ledger: newLedger()}
	var again atomic.Int64
	b.ResetTimer()
	now.clients(b, b.N, func(n int) error {
		if share > 0 && n%(100/share) == 0 {
			old := int(again.Add(1))
			if err := now.pair(b.Context(), old%repeaters, old); err != nil {
				return err
			}
		}
		return now.pair(b.Context(), n%accounts, old+n)
	})
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/pair")
}
