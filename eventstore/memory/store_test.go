package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

func open(t testing.TB) eventstore.Store {
	t.Helper()
	s, err := memory.New(memory.Config{Shards: 3, Now: time.Now})
	require.NoError(t, err)
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}

func TestStoreAgainstTheModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, open(t), open(t))
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open) }

func TestSameClockSameRecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("KST", 9*60*60))
	record := func() []eventstore.Envelope {
		s, err := memory.New(memory.Config{Shards: 1, Now: func() time.Time { return at }})
		require.NoError(t, err)
		_, err = storetest.Append(t.Context(), s, 0, storetest.Unit(storetest.Account(1), 1, 3))
		require.NoError(t, err)
		return storetest.ReadAll(t, s, 0)
	}
	first := record()
	require.Equal(t, first, record())
	require.Equal(t, at.UTC().Truncate(time.Microsecond), first[0].RecordedAt)
}

func TestConfigIsCheckedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := memory.New(memory.Config{Shards: eventstore.ShardsMax + 1})
	require.ErrorContains(t, err, "1025 shards")
	require.ErrorContains(t, err, "clock")
}
