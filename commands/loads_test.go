package commands_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// held is a store whose reads of streams wait.
type held struct {
	eventstore.Store
	reading, streams atomic.Int32
	proceed          chan struct{}
}

func (h *held) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	h.reading.Add(1)
	defer h.reading.Add(-1)
	h.streams.Add(int32(len(after)))
	defer h.streams.Add(int32(-len(after)))
	<-h.proceed
	return h.Store.ReadStreams(ctx, shard, after, limit)
}

// reserves sends a command on each of so many accounts, of which none is in memory and none was opened, and returns
// the codes of the refusals once there are.
func (h *held) reserves(t *testing.T, accounts int) <-chan domain.Code {
	t.Helper()
	b := setup(t)
	h.Store = b.store
	ledger, err := commands.New(commands.Config{Store: h, Codec: b.codec})
	require.NoError(t, err)
	codes := make(chan domain.Code, accounts)
	for n := range accounts {
		go func() {
			caller := commands.Caller{Account: domain.AccountID(id("acc_", 100+n)), Actor: "test"}
			_, err := ledger.ReserveCredits(t.Context(), caller, account.Reserve{
				Reservation: domain.ReservationID(id("res_", n)), Amount: 1, Expires: noon.Add(time.Hour), At: noon,
			})
			codes <- domain.CodeOf(err)
		}()
	}
	synctest.Wait()
	return codes
}

func TestFewCommandsReadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &held{proceed: make(chan struct{})}
		accounts := 3 * commands.LoadsMax()
		codes := h.reserves(t, accounts)
		require.EqualValues(t, min(commands.LoadsMax(), h.Shards()), h.reading.Load())
		close(h.proceed)
		for range accounts {
			require.Equal(t, domain.CodeNotFound, <-codes)
		}
	})
}

func TestWhoGetsNoTurnToReadIsToldToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &held{proceed: make(chan struct{})}
		accounts := 3 * commands.LoadsMax()
		codes := h.reserves(t, accounts)
		streams := h.streams.Load() // of one account each
		for range accounts - int(streams) {
			require.Equal(t, domain.CodeUnavailable, <-codes)
		}
		require.Equal(t, streams, h.streams.Load())
		close(h.proceed)
		synctest.Wait()
	})
}
