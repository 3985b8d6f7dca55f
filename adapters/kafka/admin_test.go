package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/adapters/kafka"
)

func TestEnsureTopicsMayBeRepeatedAndRaced(t *testing.T) {
	t.Parallel()
	addrs := brokers(t)
	name := "ensured-" + watermill.NewShortUUID()
	specs := []kafka.TopicSpec{
		{Name: name, Partitions: 3, Retention: time.Hour, Settings: map[string]string{"max.message.bytes": "2000000"}},
		{Name: name + "-compacted", Partitions: 1, Compacted: true, Retention: kafka.KeepForever, Replicas: 1},
	}
	var racers errgroup.Group
	for range 4 {
		cluster := connect(t, addrs...)
		racers.Go(func() error { return kafka.NewAdmin(cluster).EnsureTopics(t.Context(), specs) })
	}
	require.NoError(t, racers.Wait())
	admin := kafka.NewAdmin(connect(t, addrs...))
	require.NoError(t, admin.EnsureTopics(t.Context(), specs))
	lags, err := admin.Lag(t.Context(), name, name)
	require.NoError(t, err)
	require.Len(t, lags, 3)

	specs[0].Partitions = 4
	require.ErrorContains(t, admin.EnsureTopics(t.Context(), specs), name+" has 3 partitions, 4 are required")
}

func TestEnsureTopicsReportsEveryInvalidSpec(t *testing.T) {
	t.Parallel()
	err := kafka.NewAdmin(newCluster(t)).EnsureTopics(t.Context(), []kafka.TopicSpec{
		{Partitions: 1}, {Name: "a"}, {Name: "b", Partitions: 1, Replicas: -1},
		{Name: "c", Partitions: 1, Retention: time.Microsecond},
	})
	for _, fault := range []string{"name is required", "a: 0 partitions", "b: -1 replicas", "c: retention"} {
		require.ErrorContains(t, err, fault)
	}
}

func TestLagCountsFromTheCommittedOffset(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 2)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, toPartition(0, numbered("k", 0, 5)...)...))
	admin := kafka.NewAdmin(cluster)
	lags, err := admin.Lag(t.Context(), topic, topic)
	require.NoError(t, err)
	require.Equal(t, []kafka.PartitionLag{
		{Partition: 0, Committed: -1, End: 5, Lag: 5}, {Partition: 1, Committed: -1},
	}, lags)

	subscriber := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic})
	messages := subscribe(t, subscriber, topic)
	receive(t, messages).Ack()
	receive(t, messages).Ack()
	eventuallyCommitted(t, cluster, topic, 0, 2)
	lags, err = admin.Lag(t.Context(), topic, topic)
	require.NoError(t, err)
	require.Equal(t, int64(3), lags[0].Lag)
}

func TestPing(t *testing.T) {
	t.Parallel()
	require.NoError(t, kafka.NewAdmin(newCluster(t)).Ping(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.Error(t, kafka.NewAdmin(connect(t, "127.0.0.1:1")).Ping(ctx))
}
