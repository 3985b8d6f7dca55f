package commands_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/eventstore"
)

// nodding is a store that checks what is appended and keeps nothing of it: what commands cost on it is their own.
type nodding struct {
	eventstore.Store
	mu      sync.Mutex
	heads   [4]eventstore.Head
	appends atomic.Int64
}

func (n *nodding) Shards() int { return len(n.heads) }

func (n *nodding) ReadStreams(
	context.Context, int, []eventstore.StreamVersion, int,
) ([]eventstore.Envelope, error) {
	return nil, nil
}

func (n *nodding) Append(_ context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	if err := eventstore.CheckBatches(n.Shards(), batches); err != nil {
		return nil, err
	}
	runtime.Gosched() // a store takes its time, in which the next batch fills
	n.appends.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]eventstore.Appended, len(batches))
	for i, b := range batches {
		head := &n.heads[b.Shard]
		out[i] = eventstore.Appended{Before: *head, Results: make([]eventstore.Result, len(b.Units))}
		for j, u := range b.Units {
			out[i].Results[j] = eventstore.Result{Status: eventstore.StatusAppended, First: head.Pos + 1}
			head.Pos += int64(len(u.Events))
		}
		out[i].After = *head
	}
	return out, nil
}

// BenchmarkOwn measures what a command costs beside the store: its decision, its bytes and its batch.
func BenchmarkOwn(b *testing.B) {
	for _, clients := range []int{1, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchmarkOwn(b, clients) })
	}
}

func benchmarkOwn(b *testing.B, clients int) {
	store := &nodding{}
	codec, err := eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(b, err)
	ledger, err := commands.New(commands.Config{Store: store, Codec: codec})
	require.NoError(b, err)
	for n := range clients {
		open := account.Open{Account: accountOf(n), Tier: domain.TierPro, Limits: account.Limits{Slots: 4}, At: noon}
		grant := account.GrantCredits{
			Grant: domain.GrantID(id("grt_", n)), Source: account.SourcePlan, Amount: 1_000_000, Effective: noon, At: noon,
		}
		require.NoError(b, ledger.ImportAccount(b.Context(), commands.Caller{Account: open.Account}, open, grant))
	}
	accounts, reservations := make([]domain.AccountID, clients), make([]domain.ReservationID, clients)
	for n := range clients {
		accounts[n], reservations[n] = accountOf(n), domain.ReservationID(id("res_", n))
	}
	store.appends.Store(0)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for client := range clients {
		all.Go(func() {
			c := commands.Caller{Account: accounts[client], Actor: "bench", Correlation: "a request"}
			for serial := next.Add(2); serial <= int64(b.N); serial = next.Add(2) {
				if err := ownPair(b.Context(), ledger, c, reservations[client], strconv.FormatInt(serial, 10)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/float64(max(1, store.appends.Load())), "commands/append")
}

func ownPair(
	ctx context.Context, l *commands.Ledger, c commands.Caller, r domain.ReservationID, serial string,
) error {
	_, err := l.ReserveCredits(ctx, keyed(c, "reserve "+serial, 1), account.Reserve{
		Reservation: r, Amount: 10, Use: account.Use{Model: "sdxl-1.0", Operation: "text_to_image"},
		PriceBook: "metered", Expires: noon.Add(time.Hour), At: noon,
	})
	if err != nil {
		return err
	}
	_, err = l.SettleCredits(ctx, keyed(c, "settle "+serial, 1), account.Settle{
		Reservation: r, Policy: "metered", At: noon,
	})
	return err
}
