package kafka

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/internal/kafkatest"
)

// These look at the producer below PublishBatch, where a lost acknowledgement can be acted out: the same bytes are
// sent again.
func newProducer(t *testing.T) *producer {
	t.Helper()
	cluster, err := New(Config{
		Brokers: kafkatest.Shared(t), ClientID: "test", Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	topic := "test-" + watermill.NewShortUUID()
	require.NoError(t, NewAdmin(cluster).EnsureTopics(t.Context(), []TopicSpec{{Name: topic, Partitions: 1}}))
	return &producer{cluster: cluster, to: target{topic: topic}}
}

func (p *producer) end(t *testing.T) int64 {
	t.Helper()
	found, err := p.cluster.offsets(t.Context(), p.to.topic, []int{0})
	require.NoError(t, err)
	return found[0].end
}

func TestBatchSentAgainIsWrittenOnce(t *testing.T) {
	t.Parallel()
	p := newProducer(t)
	require.NoError(t, p.identify(t.Context()))
	batch := encodeBatch(p.next, []Record{{Value: []byte("1")}, {Value: []byte("2")}}, time.Now())
	for range 3 {
		first, err := p.send(t.Context(), batch)
		require.NoError(t, err)
		require.Zero(t, first)
	}
	require.Equal(t, int64(2), p.end(t))
}

func TestGapInTheSequenceIsRefusedAndANewIDObtained(t *testing.T) {
	t.Parallel()
	p := newProducer(t)
	records := []Record{{Value: []byte("1")}}
	write := func() error { _, err := p.write(t.Context(), records); return err }
	require.NoError(t, write())
	first := p.next.producerID
	p.next.sequence = 5
	require.ErrorIs(t, write(), kafkago.OutOfOrderSequenceNumber)
	require.NoError(t, write())
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
