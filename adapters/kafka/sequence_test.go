package kafka

import (
	"log/slog"
	"math"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kfake"
)

// These look at the producer below PublishBatch, where a lost acknowledgement can be acted out: the same bytes are
// sent again.
func newProducer(t *testing.T) *producer {
	t.Helper()
	broker, err := kfake.New(kfake.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	cluster, err := New(Config{
		Brokers: []string{broker.Addr()}, ClientID: "test", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	require.NoError(t, NewAdmin(cluster).EnsureTopics(t.Context(), []TopicSpec{{Name: "t", Partitions: 1}}))
	return &producer{cluster: cluster, to: target{topic: "t"}}
}

func (p *producer) end(t *testing.T) int64 {
	t.Helper()
	found, err := p.cluster.offsets(t.Context(), "t", []int{0})
	require.NoError(t, err)
	return found[0].end
}

func TestBatchSentAgainIsWrittenOnce(t *testing.T) {
	t.Parallel()
	p := newProducer(t)
	require.NoError(t, p.identify(t.Context()))
	batch := encodeBatch(p.next, []Record{{Value: []byte("1")}, {Value: []byte("2")}}, time.Now())
	for range 3 {
		require.NoError(t, p.send(t.Context(), batch))
	}
	require.Equal(t, int64(2), p.end(t))
}

func TestGapInTheSequenceIsRefusedAndANewIDObtained(t *testing.T) {
	t.Parallel()
	p := newProducer(t)
	records := []Record{{Value: []byte("1")}}
	require.NoError(t, p.write(t.Context(), records))
	first := p.next.producerID
	p.next.sequence = 5
	require.ErrorIs(t, p.write(t.Context(), records), kafkago.OutOfOrderSequenceNumber)
	require.NoError(t, p.write(t.Context(), records))
	require.NotEqual(t, first, p.next.producerID)
	require.Equal(t, int32(1), p.next.sequence)
	require.Equal(t, int64(2), p.end(t))
}

func TestSequenceWrapsToZero(t *testing.T) {
	t.Parallel()
	require.Equal(t, int32(5), advance(2, 3))
	require.Equal(t, int32(math.MaxInt32), advance(math.MaxInt32-1, 1))
	require.Equal(t, int32(0), advance(math.MaxInt32, 1))
	require.Equal(t, int32(2), advance(math.MaxInt32-1, 4))
}
