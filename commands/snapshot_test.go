package commands_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// counting is a store that counts the events that are read of it, and may lose its snapshots.
type counting struct {
	eventstore.Store
	eventstore.Snapshots
	read   int
	change func([]eventstore.Snapshot) []eventstore.Snapshot
}

func (s *counting) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	page, err := s.Store.ReadStreams(ctx, shard, after, limit)
	s.read += len(page)
	return page, err
}

func (s *counting) LoadSnapshots(ctx context.Context, shard int, streams []string) ([]eventstore.Snapshot, error) {
	found, err := s.Snapshots.LoadSnapshots(ctx, shard, streams)
	if s.change != nil {
		found = s.change(found)
	}
	return found, err
}

// pairs reserves and settles n times.
func pairs(t *testing.T, l *commands.Ledger, c commands.Caller, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		reservation := domain.ReservationID(id("res_", i))
		_, err := l.ReserveCredits(t.Context(), c, account.Reserve{
			Reservation: reservation, Amount: 5, Expires: noon.Add(time.Hour), At: noon,
		})
		require.NoError(t, err)
		_, err = l.ReleaseCredits(t.Context(), c, account.Release{Reservation: reservation, Reason: "test", At: noon})
		require.NoError(t, err)
	}
}

func TestSnapshotsSaveReadingAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kept := b.store.(eventstore.Snapshots)
	ledger, err := commands.New(commands.Config{Store: b.store, Codec: b.codec, Snapshots: kept})
	require.NoError(t, err)
	pairs(t, ledger, b.caller, 1000, 1300) // 2,600 events

	lost := func([]eventstore.Snapshot) []eventstore.Snapshot { return nil }
	foreign := func(found []eventstore.Snapshot) []eventstore.Snapshot {
		found[0].Format++
		return found
	}
	broken := func(found []eventstore.Snapshot) []eventstore.Snapshot {
		found[0].State = []byte(`{"grants": 5}`)
		return found
	}
	cases := []struct {
		name   string
		change func([]eventstore.Snapshot) []eventstore.Snapshot
		most   int
	}{{"kept", nil, 250}, {"lost", lost, 3000}, {"of another program", foreign, 3000}, {"broken", broken, 3000}}
	for _, c := range cases {
		store := &counting{Store: b.store, Snapshots: kept, change: c.change}
		restarted, err := commands.New(commands.Config{Store: store, Codec: b.codec, Snapshots: store})
		require.NoError(t, err)
		_, err = restarted.ReserveCredits(t.Context(), b.caller, account.Reserve{
			Reservation: domain.ReservationID(id("res_", 1)), Generation: gen(1), Amount: 101,
			Expires: noon.Add(time.Hour), At: noon,
		})
		require.Equal(t, domain.CodeInsufficientCredits, domain.CodeOf(err), c.name)
		require.JSONEq(t, `{"required":101,"available":100,"reserved":0}`, string(errDetail(t, err)), c.name)
		require.Less(t, store.read, c.most, c.name)
		require.Positive(t, store.read, c.name)
	}
}
