package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

const suitePartitions = 8

// The suite makes up topic names as it goes. Production code creates no topic by accident, so the two wrappers do it.

type suitePublisher struct {
	message.Publisher
	ensure func(topic string) error
	// keyed orders messages of equal payload.
	keyed bool
}

func (p suitePublisher) Publish(topic string, messages ...*message.Message) error {
	if err := p.ensure(topic); err != nil {
		return err
	}
	for _, msg := range messages {
		if p.keyed {
			msg.Metadata.Set(kafka.MetadataKey, string(msg.Payload))
		}
	}
	return p.Publisher.Publish(topic, messages...)
}

type suiteSubscriber struct {
	message.Subscriber
	ensure func(topic string) error
}

func (s suiteSubscriber) SubscribeInitialize(topic string) error { return s.ensure(topic) }

func (s suiteSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := s.ensure(topic); err != nil {
		return nil, err
	}
	return s.Subscriber.Subscribe(ctx, topic)
}

// suite makes the pairs of publisher and subscriber that the suite asks for, on one cluster.
type suite struct {
	cluster *kafka.Cluster
	keyed   bool
}

func (s suite) ensure(topic string) error {
	return kafka.NewAdmin(s.cluster).EnsureTopics(context.Background(), []kafka.TopicSpec{
		{Name: topic, Partitions: suitePartitions, Retention: time.Hour},
	})
}

func (s suite) pair(t *testing.T, group string) (message.Publisher, message.Subscriber) {
	publisher := newPublisher(t, s.cluster)
	subscriber := newSubscriber(t, s.cluster, kafka.SubscriberConfig{Group: group})
	return suitePublisher{publisher, s.ensure, s.keyed}, suiteSubscriber{subscriber, s.ensure}
}

func TestWatermillSuiteWithConsumerGroups(t *testing.T) {
	t.Parallel()
	s := suite{cluster: newCluster(t), keyed: true}
	tests.TestPubSub(t,
		tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true},
		func(t *testing.T) (message.Publisher, message.Subscriber) { return s.pair(t, groupOf(t)) },
		s.pair,
	)
}

func TestWatermillSuiteInBroadcastMode(t *testing.T) {
	t.Parallel()
	s := suite{cluster: newCluster(t)}
	broadcast := func(t *testing.T) (message.Publisher, message.Subscriber) { return s.pair(t, "") }
	tests.TestPubSub(t,
		tests.Features{Persistent: true, NewSubscriberReceivesOldMessages: true},
		broadcast,
		func(t *testing.T, _ string) (message.Publisher, message.Subscriber) {
			require.FailNow(t, "broadcast has no groups")
			return nil, nil
		},
	)
}

// groupOf is the same for all subscribers of one test of the suite and differs between tests and runs: the name of
// the test ends in a random id.
func groupOf(t *testing.T) string { return "group-" + t.Name() }
