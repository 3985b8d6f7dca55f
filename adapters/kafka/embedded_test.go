package kafka_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	fake "github.com/twmb/franz-go/pkg/kfake"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/internal/kafkatest"
)

// These tests restart the broker or turn its clock-driven work by hand, so most of them need the embedded one.

func TestEverythingGoesOnAfterARestartOfTheBroker(t *testing.T) {
	t.Parallel()
	broker := kafkatest.NewRestartable(t)
	cluster := connect(t, broker.Addr)
	topic := newTopic(t, cluster, 1)
	publisher := newPublisher(t, cluster)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	member := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic}), topic)
	follower := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic)
	expect := func(n, m int) {
		for _, messages := range []<-chan *message.Message{member, follower} {
			for i := n; i < m; i++ {
				require.Equal(t, strconv.Itoa(i), string(nextPayload(t, messages, i)))
			}
		}
	}
	require.NoError(t, publisher.Publish(topic, numbered("k", 0, 5)...))
	records, _ := numberedRecords(5, 10)
	require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, records)))
	expect(0, 10)
	eventuallyCommitted(t, cluster, topic, 0, 10)

	broker.Stop()
	written := make(chan error)
	records, _ = numberedRecords(10, 15)
	go func() { written <- errOf(ordered.PublishBatch(t.Context(), topic, 0, records)) }()
	broker.Start(t)
	require.NoError(t, await(t, "the publisher finds the broker again", written))
	require.NoError(t, publisher.Publish(topic, numbered("k", 15, 20)...))
	expect(10, 20)
	eventuallyCommitted(t, cluster, topic, 0, 20)
}

// nextPayload acks messages until the one at the offset, passing over those that a rebalance brings again.
func nextPayload(t *testing.T, messages <-chan *message.Message, offset int) []byte {
	t.Helper()
	for {
		msg := receive(t, messages)
		msg.Ack()
		if at, err := strconv.Atoi(msg.Metadata[kafka.MetadataSourceOffset]); err != nil || at >= offset {
			return msg.Payload
		}
	}
}

func newFake(t *testing.T) (*fake.Cluster, *kafka.Cluster) {
	t.Helper()
	broker, err := fake.NewCluster(fake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker, connect(t, broker.ListenAddrs()...)
}

// publishEach writes every record as a batch of its own, because retention and compaction work on batches.
func publishEach(t *testing.T, cluster *kafka.Cluster, topic string, records ...kafka.Record) {
	t.Helper()
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	for _, r := range records {
		require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, []kafka.Record{r})))
	}
}

func TestOffsetsRemovedByRetentionAreReported(t *testing.T) {
	t.Parallel()
	addrs, retain := brokers(t), func() {}
	if !kafkatest.Real() {
		broker, err := fake.NewCluster(fake.NumBrokers(1))
		require.NoError(t, err)
		t.Cleanup(broker.Close)
		addrs, retain = broker.ListenAddrs(), broker.ApplyRetention
	}
	cluster := connect(t, addrs...)
	topic := newTopic(t, cluster, 1) + "-short"
	require.NoError(t, kafka.NewAdmin(cluster).EnsureTopics(t.Context(), []kafka.TopicSpec{{
		Name: topic, Partitions: 1, Retention: kafka.KeepForever, Settings: map[string]string{"segment.ms": "1"},
	}}))
	records, _ := numberedRecords(0, 6)
	for i := range 5 {
		records[i].Time = time.Now().Add(-2 * time.Hour)
	}
	publishEach(t, cluster, topic, records...)
	early := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic})
	messages := subscribe(t, early, topic)
	receive(t, messages).Ack()
	receive(t, messages).Ack()
	require.NoError(t, early.Close())
	require.Equal(t, []int64{2}, committed(t.Context(), t, cluster, topic, topic))
	keepAnHour(t, addrs, topic)
	require.Eventually(t, func() bool {
		retain()
		lags, err := kafka.NewAdmin(cluster).Lag(t.Context(), topic, topic)
		return err == nil && lags[0].Start == 5
	}, receiveTimeout, 100*time.Millisecond)

	losses := make(chan kafka.OffsetLoss, 1)
	messages = subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{
		Group: topic, OnOffsetLost: func(loss kafka.OffsetLoss) { losses <- loss },
	}), topic)
	msg := receive(t, messages)
	require.Equal(t, "5", string(msg.Payload))
	msg.Ack()
	loss := await(t, "the loss is reported", losses)
	require.Equal(t, kafka.OffsetLoss{Topic: topic, Group: topic, Wanted: 2, LogStart: 5, LogEnd: 6}, loss)
	require.Equal(t, int64(3), loss.Missed())

	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	require.NoError(t, err)
	err = reader.ReadPartitions(t.Context(), topic, func(int) int64 { return 2 },
		func(context.Context, int, []kafka.Record) error { return nil })
	var lost *kafka.OffsetLostError
	require.ErrorAs(t, err, &lost)
	require.Equal(t, int64(5), lost.LogStart)
	require.ErrorContains(t, err, "offset 2 of "+topic+"/0 is not in the log (5 to 6)")
}

func keepAnHour(t *testing.T, addrs []string, topic string) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(addrs...), Transport: transport}
	res, err := client.IncrementalAlterConfigs(t.Context(), &kafkago.IncrementalAlterConfigsRequest{
		Resources: []kafkago.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafkago.IncrementalAlterConfigsRequestConfig{{
				Name: "retention.ms", Value: "3600000", ConfigOperation: kafkago.ConfigOperationSet,
			}},
		}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Resources[0].Error)
}

func TestBroadcastCatchesUpOverGapsOfCompaction(t *testing.T) {
	t.Parallel()
	broker, cluster := newFake(t)
	topic := newTopic(t, cluster, 1) + "-compacted"
	require.NoError(t, kafka.NewAdmin(cluster).EnsureTopics(t.Context(), []kafka.TopicSpec{
		{Name: topic, Partitions: 1, Compacted: true},
	}))
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	for _, batch := range [][]kafka.Record{
		{{Key: a, Value: []byte("1")}, {Key: b, Value: []byte("1")}, {Key: a, Value: []byte("2")}},
		{{Key: c, Value: []byte("1")}, {Key: b, Value: []byte("2")}, {Key: b}},
		{{Key: c, Value: []byte("2")}, {Key: a, Value: []byte("3")}},
		{{Key: a, Value: []byte("4")}},
	} {
		require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, batch)))
	}
	broker.Compact()
	subscriber, caughtUp := broadcaster(t, cluster, kafka.FirstOffset)
	messages := subscribe(t, subscriber, topic)
	var got []string
	for range 4 {
		msg := receive(t, messages)
		got = append(got, msg.Metadata[kafka.MetadataKey]+string(msg.Payload)+msg.Metadata[kafka.MetadataTombstone])
		msg.Ack()
	}
	require.Equal(t, []string{"btrue", "c2", "a3", "a4"}, got)
	require.Equal(t, topic, await(t, "catch-up", caughtUp))
}
