package kafka_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

func TestReadPartitionsFollowsEveryPartitionInBoundedBatches(t *testing.T) {
	t.Parallel()
	const partitions, perPartition, batchMax = 3, 250, 100
	cluster := newCluster(t)
	topic := newTopic(t, cluster, partitions)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	records, want := numberedRecords(0, perPartition)
	half := perPartition / 2
	for partition := range partitions {
		require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, partition, records[:half])))
	}
	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{MaxRecords: batchMax})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), receiveTimeout)
	defer cancel()
	var mu sync.Mutex
	got := make(map[int][]string)
	total, largest, live := 0, 0, make(chan struct{})
	run := make(chan error)
	go func() {
		run <- reader.ReadPartitions(ctx, topic,
			func(partition int) int64 { return int64(partition) }, // partition n starts at offset n
			func(_ context.Context, partition int, batch []kafka.Record) error {
				mu.Lock()
				defer mu.Unlock()
				got[partition] = append(got[partition], values(batch)...)
				largest = max(largest, len(batch))
				switch total += len(batch); total {
				case partitions*half - 3:
					close(live)
				case partitions*perPartition - 3:
					cancel()
				}
				return nil
			})
	}()
	await(t, "the first half is read", live)
	for partition := range partitions {
		require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, partition, records[half:])))
	}
	require.NoError(t, await(t, "the reader ends", run))
	for partition := range partitions {
		require.Equal(t, want[partition:], got[partition])
	}
	require.Equal(t, batchMax, largest)
}

func TestReadPartitionsEndsWithTheErrorOfTheHandler(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 2)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, toPartition(1, numbered("k", 0, 3)...)...))
	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	require.NoError(t, err)
	broken := errors.New("broken")
	err = reader.ReadPartitions(t.Context(), topic, func(int) int64 { return kafka.FirstOffset },
		func(context.Context, int, []kafka.Record) error { return broken })
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, topic+"/1 from offset 0")
}
