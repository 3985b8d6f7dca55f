package eventstore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

const testShards = 4

func TestCheckBatchesRefuses(t *testing.T) {
	t.Parallel()
	for _, call := range storetest.RefusedCalls(testShards) {
		if call.NotJSON {
			continue // for the store to find
		}
		err := eventstore.CheckBatches(testShards, call.Batches)
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), call.Name)
		require.ErrorContains(t, err, call.Reason, call.Name)
	}
}

func TestCheckBatchesAllows(t *testing.T) {
	t.Parallel()
	a := storetest.Accounts(3, testShards, 2)
	interleaved := storetest.WithKey(eventstore.Unit{Account: a[0], Events: []eventstore.NewEvent{
		storetest.Event("x", 7), storetest.Event("y", 1), storetest.Event("x", 8), storetest.Event("y", 2),
	}}, strings.Repeat("k", eventstore.KeyBytesMax))
	refusal := eventstore.Unit{Account: a[1], Outcomes: []eventstore.NewOutcome{storetest.Outcome("k", 0)}}
	require.NoError(t, eventstore.CheckBatches(testShards, []eventstore.Batch{
		{Shard: 3, Units: []eventstore.Unit{interleaved, refusal}},
		{Shard: 1, Units: []eventstore.Unit{storetest.Unit(storetest.Accounts(1, testShards, 1)[0], 1, 1)}},
		{Shard: 0},
	}))
	require.NoError(t, eventstore.CheckBatches(1, nil))
}

func TestCheckRead(t *testing.T) {
	t.Parallel()
	require.NoError(t, eventstore.CheckRead(0, 1, 1))
	require.NoError(t, eventstore.CheckRead(3, testShards, eventstore.ReadMax))
	for _, wrong := range [][3]int{{-1, 4, 1}, {4, 4, 1}, {0, 4, 0}, {0, 4, eventstore.ReadMax + 1}} {
		err := eventstore.CheckRead(wrong[0], wrong[1], wrong[2])
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(err), wrong)
	}
}

func TestCheckStreams(t *testing.T) {
	t.Parallel()
	require.NoError(t, eventstore.CheckStreams(nil))
	require.NoError(t, eventstore.CheckStreams([]eventstore.StreamVersion{{Stream: "a"}, {Stream: "b", Version: 3}}))
	for _, wrong := range [][]eventstore.StreamVersion{
		{{Stream: ""}}, {{Stream: "\xff"}}, {{Stream: "a"}, {Stream: "a", Version: 1}},
		make([]eventstore.StreamVersion, eventstore.StreamsMax+1),
	} {
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(eventstore.CheckStreams(wrong)))
	}
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	require.NoError(t, eventstore.CheckKey("주문 1"))
	for _, key := range []string{"", "\x00", "\xff", strings.Repeat("k", eventstore.KeyBytesMax+1)} {
		require.Equal(t, domain.CodeInvalid, domain.CodeOf(eventstore.CheckKey(key)))
	}
}
