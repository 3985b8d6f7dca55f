package kafka_test

import (
	"strconv"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

// broadcaster is a subscriber without a group and the channel that gets its catch-up signals.
func broadcaster(t *testing.T, cluster *kafka.Cluster, start int64) (*kafka.Subscriber, <-chan string) {
	t.Helper()
	caughtUp := make(chan string, 1)
	return newSubscriber(t, cluster, kafka.SubscriberConfig{
		Start: start, OnCaughtUp: func(topic string) { caughtUp <- topic },
	}), caughtUp
}

func TestBroadcastTellsWhenItHoldsTheWholeList(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 4)
	publisher := newPublisher(t, cluster)
	for partition := range 3 { // the fourth stays empty
		require.NoError(t, publisher.Publish(topic, toPartition(partition, numbered("k", 0, 10)...)...))
	}
	subscriber, caughtUp := broadcaster(t, cluster, kafka.FirstOffset)
	messages := subscribe(t, subscriber, topic)
	for range 29 {
		receive(t, messages).Ack()
	}
	last := receive(t, messages)
	require.Empty(t, caughtUp, "the last message is not acked yet")
	last.Ack()
	require.Equal(t, topic, await(t, "catch-up", caughtUp))

	require.NoError(t, publisher.Publish(topic, toPartition(3, numbered("live", 0, 1)...)...))
	live := receive(t, messages)
	require.Equal(t, "live", live.Metadata[kafka.MetadataKey])
	live.Ack()
}

func TestBroadcastGivesEverySubscriberEverything(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	subscriber, _ := broadcaster(t, cluster, kafka.FirstOffset)
	first := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), topic)
	second := subscribe(t, subscriber, topic)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, 3)...))
	for _, messages := range []<-chan *message.Message{first, second} {
		for i := range 3 {
			msg := receive(t, messages)
			require.Equal(t, strconv.Itoa(i), string(msg.Payload))
			msg.Ack()
		}
	}
}

func TestBroadcastOfAnEmptyTopicIsCaughtUpAtOnce(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 2)
	subscriber, caughtUp := broadcaster(t, cluster, kafka.FirstOffset)
	subscribe(t, subscriber, topic)
	require.Equal(t, topic, await(t, "catch-up", caughtUp))
}

func TestBroadcastFromTheEndSeesOnlyWhatComesLater(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	publisher := newPublisher(t, cluster)
	require.NoError(t, publisher.Publish(topic, numbered("k", 0, 5)...))
	subscriber, caughtUp := broadcaster(t, cluster, kafka.LastOffset)
	messages := subscribe(t, subscriber, topic)
	require.NoError(t, publisher.Publish(topic, numbered("k", 5, 6)...))
	msg := receive(t, messages)
	require.Equal(t, "5", string(msg.Payload))
	msg.Ack()
	require.Equal(t, topic, await(t, "catch-up", caughtUp))
}
