package kafka_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

func TestConfigsReportEveryInvalidField(t *testing.T) {
	t.Parallel()
	err := kafka.Config{Brokers: []string{""}, TLS: &tls.Config{MinVersion: tls.VersionTLS13}}.Validate()
	require.ErrorContains(t, err, "broker 0")
	require.ErrorContains(t, err, "client id")
	require.ErrorContains(t, err, "logger")
	require.ErrorContains(t, kafka.Config{}.Validate(), "at least one broker")
	require.Error(t, kafka.PublisherConfig{MaxMessageBytes: -1}.Validate())
	err = kafka.SubscriberConfig{
		Start: 7, AttemptsMax: -1, RetryMin: 2, RetryMax: 1, DrainTimeout: -1, CommitInterval: -1, HeartbeatInterval: 1,
	}.Validate()
	for _, field := range []string{"start", "attempts", "retry", "drain", "commit", "heartbeat"} {
		require.ErrorContains(t, err, field)
	}
	err = kafka.ReaderConfig{MaxRecords: -1, MaxBytes: 1 << 30}.Validate()
	require.ErrorContains(t, err, "records")
	require.ErrorContains(t, err, "bytes")
}

func TestMessageKeepsKeyHeadersAndID(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 3)
	sent := message.NewMessage("own-uuid", []byte("body"))
	sent.Metadata = message.Metadata{
		kafka.MetadataID: "ce-1", kafka.MetadataKey: "k", kafka.MetadataPartition: "2",
		"ce_type": "t.v1", "empty": "", "kafka_tombstone": "true",
	}
	require.NoError(t, newPublisher(t, cluster).Publish(topic, sent))

	got := receive(t, subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic))
	got.Ack()
	require.Equal(t, "ce-1", got.UUID)
	require.Equal(t, "body", string(got.Payload))
	require.NotEmpty(t, got.Metadata[kafka.MetadataTimestamp])
	delete(got.Metadata, kafka.MetadataTimestamp)
	require.Equal(t, "1", got.Metadata[kafka.MetadataAttempt])
	delete(got.Metadata, kafka.MetadataAttempt)
	require.Equal(t, message.Metadata{
		kafka.MetadataID: "ce-1", kafka.MetadataKey: "k", "ce_type": "t.v1", "empty": "",
		kafka.MetadataSourcePartition: "2", kafka.MetadataSourceOffset: "0",
	}, got.Metadata)
}

func TestRecordWithoutIDGetsAStableOne(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	require.NoError(t, errOf(ordered.PublishBatch(t.Context(), topic, 0, []kafka.Record{{
		Value:   []byte("x"),
		Headers: []kafka.Header{{Key: "kafka_partition", Value: []byte("7")}, {Key: "h", Value: []byte("v")}},
	}})))
	got := receive(t, subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic))
	got.Ack()
	require.Equal(t, topic+"/0/0", got.UUID)
	require.Equal(t, "v", got.Metadata["h"])
	require.NotContains(t, got.Metadata, kafka.MetadataPartition, "a producer must not pretend transport facts")
}

// The expected partitions come from the test vectors of murmur2 in Apache Kafka's own UtilsTest.
func TestKeyChoosesThePartitionLikeTheJavaClient(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 8)
	publisher := newPublisher(t, cluster)
	want := map[string]string{"21": "4", "foobar": "6", "abc": "3"}
	for key := range want {
		require.NoError(t, publisher.Publish(topic, numbered(key, 0, 1)...))
	}
	messages := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic)
	got := make(map[string]string)
	for range want {
		msg := receive(t, messages)
		got[msg.Metadata[kafka.MetadataKey]] = msg.Metadata[kafka.MetadataSourcePartition]
		msg.Ack()
	}
	require.Equal(t, want, got)
}

func TestEmptyPayloadWithAKeyIsATombstone(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	tombstone := message.NewMessage("1", nil)
	tombstone.Metadata.Set(kafka.MetadataKey, "k")
	require.NoError(t, newPublisher(t, cluster).Publish(topic, tombstone, message.NewMessage("2", nil)))

	messages := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic)
	got := receive(t, messages)
	require.Equal(t, "true", got.Metadata[kafka.MetadataTombstone])
	require.Equal(t, "k", got.Metadata[kafka.MetadataKey])
	require.Empty(t, got.Payload)
	got.Ack()
	got = receive(t, messages)
	require.NotContains(t, got.Metadata, kafka.MetadataTombstone, "without a key there is nothing to delete")
	got.Ack()
}

func TestPublishRefusesWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	publisher, err := kafka.NewPublisher(cluster, kafka.PublisherConfig{MaxMessageBytes: 1000})
	require.NoError(t, err)
	small, large := message.NewMessage("1", []byte("x")), message.NewMessage("2", []byte(strings.Repeat("x", 1000)))
	require.ErrorIs(t, publisher.Publish(topic, small, large), kafka.ErrMessageTooLarge)
	small.Metadata.Set(kafka.MetadataPartition, "one")
	require.ErrorContains(t, publisher.Publish(topic, small), "not a number")
	require.ErrorContains(t, publisher.Publish("missing-"+topic, message.NewMessage("3", nil)), "look up topic")
	lags, err := kafka.NewAdmin(cluster).Lag(t.Context(), "none", topic)
	require.NoError(t, err)
	require.Zero(t, lags[0].End, "a refused call writes nothing")
	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Close())
	require.ErrorIs(t, publisher.Publish(topic, message.NewMessage("4", nil)), kafka.ErrClosed)
}

func TestSubscribeRefusesAMissingTopicAndAfterClose(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	subscriber := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: "g"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	soon, cancelSoon := context.WithTimeout(ctx, time.Second) // somebody may still create it
	defer cancelSoon()
	_, err := subscriber.Subscribe(soon, "missing-"+topic)
	require.ErrorContains(t, err, "missing-"+topic)
	require.NoError(t, subscriber.Close())
	_, err = subscriber.Subscribe(ctx, topic)
	require.ErrorIs(t, err, kafka.ErrClosed)
}
