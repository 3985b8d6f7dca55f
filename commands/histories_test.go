package commands_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

// streamPage is how many events a command reads at once.
const streamPage = 1000

// lengthen makes the account's stream have this many events, by grants of one credit.
func (b *bundle) lengthen(t *testing.T, length int) {
	t.Helper()
	stream := eventstore.AccountStream(b.caller.Account)
	metadata, err := json.Marshal(eventstore.Metadata{Account: b.caller.Account})
	require.NoError(t, err)
	unit := eventstore.Unit{Account: b.caller.Account}
	const opened = 2 // events of the account when it was opened
	for version := opened + 1; version <= length; version++ {
		granted := account.CreditsGranted{
			Grant: domain.GrantID(id("grt_", version)), Source: account.SourcePromotion, Priority: account.PriorityUsual,
			Amount: 1, Effective: noon, At: noon,
		}
		data, err := b.codec.Encode(t.Context(), b.caller.Account, granted)
		require.NoError(t, err)
		unit.Events = append(unit.Events, eventstore.NewEvent{
			Stream: stream, Version: int64(version), Type: granted.EventName(), Data: data, Metadata: metadata,
		})
	}
	shard := eventstore.ShardOf(b.caller.Account, b.store.Shards())
	results, err := storetest.Append(t.Context(), b.store, shard, unit)
	require.NoError(t, err)
	require.Equal(t, eventstore.StatusAppended, results[0].Status)
}

// The page ends before, inside and behind each of the two streams that ending a job decides on.
func TestLongHistoriesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	for _, length := range []int{
		streamPage - 3, streamPage - 2, streamPage - 1, streamPage, streamPage + 1, 2*streamPage - 1, 2*streamPage + 1,
	} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.lengthen(t, length)
			_, err := b.ledger.RequestGeneration(t.Context(), b.caller, request(1, 2))
			require.NoError(t, err)
			b.claim(t, 1, noon.Add(time.Second))
			done, err := b.ledger.CompleteGeneration(t.Context(), b.caller, gen(1), generation.Complete{
				Attempt: 1, Images: pictures(gen(1), 2), At: noon.Add(time.Minute),
			})
			require.NoError(t, err)
			require.Equal(t, generation.StatusSucceeded, done.Result.Status)
			require.EqualValues(t, 4, done.Result.Settled)
		})
	}
}
