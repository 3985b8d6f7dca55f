package kafka_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/internal/kafkatest"
)

// receiveTimeout is far above what any step takes; it only turns a hang into a failure.
const receiveTimeout = 30 * time.Second

func TestMain(m *testing.M) {
	if text := os.Getenv(memberEnv); text != "" {
		os.Exit(runMember(text))
	}
	// Watermill's suite leaves the goroutines of its own subscriber multiplier behind when it stops reading early.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// brokers are those of KAFKA_BROKERS, else one of this test's own.
func brokers(t *testing.T) []string {
	t.Helper()
	return kafkatest.Shared(t)
}

func connect(t *testing.T, addrs ...string) *kafka.Cluster {
	t.Helper()
	cluster, err := kafka.New(kafka.Config{Brokers: addrs, ClientID: "test", Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

func newCluster(t *testing.T) *kafka.Cluster {
	t.Helper()
	return connect(t, brokers(t)...)
}

// newTopic creates a topic with a name of its own, and its dead-letter topic.
func newTopic(t *testing.T, cluster *kafka.Cluster, partitions int) string {
	t.Helper()
	topic := "test-" + watermill.NewShortUUID()
	require.NoError(t, kafka.NewAdmin(cluster).EnsureTopics(t.Context(), []kafka.TopicSpec{
		{Name: topic, Partitions: partitions, Retention: time.Hour},
		{Name: kafka.DeadLetterTopic(topic), Partitions: 1, Retention: time.Hour},
	}))
	return topic
}

func newPublisher(t *testing.T, cluster *kafka.Cluster) *kafka.Publisher {
	t.Helper()
	publisher, err := kafka.NewPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, publisher.Close()) })
	return publisher
}

// newSubscriber has short pauses, so that retries and rebalances do not make the tests slow.
func newSubscriber(t *testing.T, cluster *kafka.Cluster, cfg kafka.SubscriberConfig) *kafka.Subscriber {
	t.Helper()
	cfg.HeartbeatInterval = 50 * time.Millisecond
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 10*time.Millisecond
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 50 * time.Millisecond
	}
	if cfg.CommitInterval == 0 {
		cfg.CommitInterval = 50 * time.Millisecond
	}
	subscriber, err := kafka.NewSubscriber(cluster, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, subscriber.Close()) })
	return subscriber
}

func subscribe(t *testing.T, subscriber message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := subscriber.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return messages
}

func receive(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, ok := <-messages:
		require.True(t, ok, "the channel was closed")
		return msg
	case <-time.After(receiveTimeout):
		require.FailNow(t, "no message came")
		return nil
	}
}

func await[T any](t *testing.T, what string, signal <-chan T) T {
	t.Helper()
	select {
	case v := <-signal:
		return v
	case <-time.After(receiveTimeout):
		require.FailNow(t, "did not happen: "+what)
		panic("unreachable")
	}
}

// numbered makes messages n to m-1 with a key and the number as payload.
func numbered(key string, n, m int) []*message.Message {
	var messages []*message.Message
	for i := n; i < m; i++ {
		msg := message.NewMessage(watermill.NewUUID(), []byte(strconv.Itoa(i)))
		msg.Metadata.Set(kafka.MetadataKey, key)
		messages = append(messages, msg)
	}
	return messages
}

// toPartition forces the partition of messages.
func toPartition(partition int, messages ...*message.Message) []*message.Message {
	for _, msg := range messages {
		msg.Metadata.Set(kafka.MetadataPartition, strconv.Itoa(partition))
	}
	return messages
}

// committed returns the committed offset of each partition, -1 where there is none.
func committed(ctx context.Context, t *testing.T, cluster *kafka.Cluster, group, topic string) []int64 {
	t.Helper()
	lags, err := kafka.NewAdmin(cluster).Lag(ctx, group, topic)
	require.NoError(t, err)
	offsets := make([]int64, len(lags))
	for i, lag := range lags {
		offsets[i] = lag.Committed
	}
	return offsets
}
