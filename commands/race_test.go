package commands_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	"github.com/pingvas/pingvas/eventstore/audit"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// The size of the race: together several thousand commands on few accounts, so that they meet all the time.
const (
	raceAccounts = 6
	raceClients  = 16
	raceRounds   = 60
	raceShards   = 2
)

// told is what callers were told of one account, added up.
type told struct{ granted, charged atomic.Int64 }

// racer is one client that sends each command to a process drawn at random, some of them twice with one key.
type racer struct {
	t       *testing.T
	ledgers []*commands.Ledger
	id      int
	r       *rand.Rand
	told    []*told
}

func (c *racer) caller(n int, key string) commands.Caller {
	return keyed(commands.Caller{Account: domain.AccountID(id("acc_", n)), Actor: "race"}, key, 1)
}

// send runs a command until it has an answer, on any of the processes, and again with the same key now and then.
func send[R any](c *racer, run func(*commands.Ledger) (commands.Receipt[R], error)) (R, error) {
	for {
		first, err := run(c.ledgers[c.r.IntN(len(c.ledgers))])
		if domain.CodeOf(err) == domain.CodeStaleVersion {
			continue
		}
		if c.r.IntN(4) == 0 {
			again, errAgain := run(c.ledgers[c.r.IntN(len(c.ledgers))])
			if !again.Replayed || domain.CodeOf(errAgain) != domain.CodeOf(err) || again.Position != first.Position {
				c.t.Errorf("the answer %+v, %v was repeated as %+v, %v", first, err, again, errAgain)
			}
		}
		return first.Result, err
	}
}

func (c *racer) round(ctx context.Context, round int) {
	n := c.r.IntN(raceAccounts)
	serial := c.id*raceRounds + round
	if c.r.IntN(8) == 0 {
		grant := account.GrantCredits{
			Grant: domain.GrantID(id("grt_", 1000+serial)), Source: account.SourcePromotion, Amount: 10,
			Effective: noon, At: noon,
		}
		made, err := send(c, func(l *commands.Ledger) (commands.Receipt[commands.Granted], error) {
			return l.GrantCredits(ctx, c.caller(n, fmt.Sprint("grant ", serial)), grant)
		})
		if err != nil {
			c.t.Error(err)
		}
		c.told[n].granted.Add(int64(made.Amount))
	}
	reservation := domain.ReservationID(id("res_", serial))
	_, err := send(c, func(l *commands.Ledger) (commands.Receipt[commands.Reserved], error) {
		return l.ReserveCredits(ctx, c.caller(n, fmt.Sprint("reserve ", serial)), account.Reserve{
			Reservation: reservation, Amount: 7, Expires: noon.Add(time.Hour), At: noon,
		})
	})
	switch domain.CodeOf(err) {
	case "":
	case domain.CodeInsufficientCredits, domain.CodeConcurrencyLimit:
		return
	default:
		c.t.Error(err)
		return
	}
	ended, err := send(c, func(l *commands.Ledger) (commands.Receipt[commands.EndedReservation], error) {
		return l.SettleCredits(ctx, c.caller(n, fmt.Sprint("settle ", serial)), account.Settle{
			Reservation: reservation, Charge: domain.Credits(serial % 8), Policy: "race", At: noon,
		})
	})
	if err != nil {
		c.t.Error(err)
	}
	c.told[n].charged.Add(int64(ended.Settled))
}

// Many clients of two processes on a real Postgres: what they were told is what the ledger says, and it verifies.
func TestTwoProcessesOnOneDatabase(t *testing.T) {
	t.Parallel()
	migrate := func(ctx context.Context, url string) error { return postgres.Migrate(ctx, url, raceShards) }
	pool := pgtest.New(t, pgtest.Schema{Hash: postgres.MigrationHash() + "-race", Migrate: migrate})
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	ledgers := []*commands.Ledger{process(t, pool, codec), process(t, pool, codec)}
	sums := make([]*told, raceAccounts)
	for n := range sums {
		sums[n] = &told{}
		open := account.Open{
			Account: domain.AccountID(id("acc_", n)), Tier: domain.TierPro, Limits: account.Limits{Slots: 5}, At: noon,
		}
		grant := account.GrantCredits{
			Grant: domain.GrantID(id("grt_", n)), Source: account.SourcePlan, Amount: 500, Effective: noon, At: noon,
		}
		c := commands.Caller{Account: open.Account}
		require.NoError(t, ledgers[n%2].ImportAccount(t.Context(), c, open, grant))
		sums[n].granted.Add(500)
	}
	var clients sync.WaitGroup
	for i := range raceClients {
		c := &racer{t: t, ledgers: ledgers, id: i, r: rand.New(rand.NewPCG(1, uint64(i))), told: sums}
		clients.Go(func() {
			for round := range raceRounds {
				c.round(context.WithoutCancel(t.Context()), round)
			}
		})
	}
	clients.Wait()

	store, err := postgres.Open(t.Context(), postgres.Config{Pool: pool})
	require.NoError(t, err)
	report, err := audit.Verify(t.Context(), audit.Config{Store: store, Codec: codec})
	require.NoError(t, err)
	require.True(t, report.Sound(), report.Findings)
	for n, sum := range sums {
		b := &bundle{store: store, codec: codec, caller: commands.Caller{Account: domain.AccountID(id("acc_", n))}}
		totals := b.account(t).Totals
		require.EqualValues(t, -sum.granted.Load(), totals.Issuance, "account %d", n)
		require.EqualValues(t, sum.charged.Load(), totals.Consumed, "account %d", n)
		require.Zero(t, totals.Reserved, "account %d", n)
	}
}

func process(t *testing.T, pool *pgxpool.Pool, codec *eventstore.Codec) *commands.Ledger {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{Pool: pool})
	require.NoError(t, err)
	ledger, err := commands.New(commands.Config{Store: store, Codec: codec, Snapshots: store})
	require.NoError(t, err)
	return ledger
}
