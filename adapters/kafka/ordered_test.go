package kafka_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

// readRecords reads n records of partition 0 from an offset.
func readRecords(t *testing.T, cluster *kafka.Cluster, topic string, start int64, n int) []kafka.Record {
	t.Helper()
	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), receiveTimeout)
	defer cancel()
	var got []kafka.Record
	require.NoError(t, reader.ReadPartitions(ctx, topic, func(int) int64 { return start },
		func(_ context.Context, _ int, records []kafka.Record) error {
			if got = append(got, records...); len(got) >= n {
				cancel()
			}
			return nil
		}))
	require.Len(t, got, n)
	return got
}

func values(records []kafka.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = string(r.Value)
	}
	return out
}

// errOf forgets the offset.
func errOf(_ int64, err error) error { return err }

func numberedRecords(n, m int) (records []kafka.Record, want []string) {
	for i := n; i < m; i++ {
		records = append(records, kafka.Record{Key: []byte("k"), Value: []byte(strconv.Itoa(i))})
		want = append(want, strconv.Itoa(i))
	}
	return records, want
}

func TestOrderedPublisherKeepsRecordsAsTheyAre(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	early := time.UnixMilli(1_700_000_000_000).UTC()
	records := []kafka.Record{
		{Key: []byte("a"), Value: []byte("1"), Time: early.Add(time.Second)},
		{Value: []byte("2"), Time: early, Headers: []kafka.Header{{Key: "h", Value: []byte("v")}}},
		{Key: []byte("a"), Time: early},
	}
	require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, records)))
	got := readRecords(t, cluster, topic, 0, len(records))
	for i := range records {
		records[i].Topic, records[i].Offset = topic, int64(i)
		got[i].Time = got[i].Time.UTC()
	}
	require.Equal(t, records, got)
}

func TestOrderedPublisherSplitsALongCallInOrder(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{MaxMessageBytes: 2000})
	require.NoError(t, err)
	records, want := numberedRecords(0, 500)
	last, err := ordered.PublishBatch(t.Context(), topic, 0, records)
	require.NoError(t, err)
	require.Equal(t, int64(len(want)-1), last)
	require.Equal(t, want, values(readRecords(t, cluster, topic, 0, len(want))))
	last, err = ordered.PublishBatch(t.Context(), topic, 0, nil)
	require.NoError(t, err)
	require.Equal(t, kafka.OffsetUnknown, last)
}

func TestOrderedPublisherWritesNothingOfARefusedCall(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{MaxMessageBytes: 2000})
	require.NoError(t, err)
	records, want := numberedRecords(0, 3)
	large := kafka.Record{Value: []byte(strings.Repeat("x", 2000))}
	_, err = ordered.PublishBatch(t.Context(), topic, 0, append(records[:2:2], large))
	require.ErrorIs(t, err, kafka.ErrMessageTooLarge)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, errOf(ordered.PublishBatch(ctx, topic, 0, records)), context.Canceled)
	require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, records)))
	require.Equal(t, want, values(readRecords(t, cluster, topic, 0, len(want))))
}
