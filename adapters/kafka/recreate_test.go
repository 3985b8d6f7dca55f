package kafka_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/internal/kafkatest"
)

// noticing is a log that tells how often a fetch has failed.
type noticing struct {
	slog.Handler
	failed chan struct{}
}

func (n noticing) Enabled(context.Context, slog.Level) bool { return true }
func (n noticing) WithAttrs([]slog.Attr) slog.Handler       { return n }
func (n noticing) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "kafka fetch failed" {
		select {
		case n.failed <- struct{}{}:
		default:
		}
	}
	return nil
}

// recreate deletes a topic and creates it again, and writes more records than it had. A real broker ends the fetches
// that wait; the embedded one lets them go on on the new topic, so there it is waited until they were refused.
func recreate(t *testing.T, cluster *kafka.Cluster, topic string, records, readers int, log noticing) {
	t.Helper()
	admin := kafka.NewAdmin(cluster)
	require.NoError(t, admin.DeleteTopics(t.Context(), topic, "missing-"+topic))
	for n := 0; !kafkatest.Real() && n < 5*readers; n++ { // one has four at most before the last
		await(t, "the readers notice", log.failed)
	}
	spec := kafka.TopicSpec{Name: topic, Partitions: 1, Retention: time.Hour}
	require.Eventually(t, func() bool {
		return admin.EnsureTopics(t.Context(), []kafka.TopicSpec{spec}) == nil
	}, receiveTimeout, 10*time.Millisecond)
	ordered, err := kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	batch, _ := numberedRecords(1000, 1000+records)
	require.Eventually(t, func() bool {
		last, err := ordered.PublishBatch(t.Context(), topic, 0, batch)
		return err == nil && last == int64(records-1)
	}, receiveTimeout, 10*time.Millisecond)
}

func TestATopicThatIsDeletedAndCreatedIsReadFromItsStart(t *testing.T) {
	t.Parallel()
	const before, after = 10, 30
	log := noticing{Handler: slog.DiscardHandler, failed: make(chan struct{})}
	cluster, err := kafka.New(kafka.Config{Brokers: brokers(t), ClientID: "test", Logger: slog.New(log)})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	topic := newTopic(t, cluster, 1)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, before)...))
	losses := make(chan kafka.OffsetLoss, 2)
	report := func(loss kafka.OffsetLoss) { losses <- loss }
	member := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic, OnOffsetLost: report}), topic)
	follower := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{OnOffsetLost: report}), topic)
	for _, messages := range []<-chan *message.Message{member, follower} {
		for range before {
			receive(t, messages).Ack()
		}
	}
	eventuallyCommitted(t, cluster, topic, 0, before)
	reader, err := kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	require.NoError(t, err)
	read, ended := make(chan struct{}, 99), make(chan error, 1)
	go func() {
		ended <- reader.ReadPartitions(t.Context(), topic, func(int) int64 { return before - 1 },
			func(context.Context, int, []kafka.Record) error { read <- struct{}{}; return nil })
	}()
	await(t, "the reader has read", read)

	recreate(t, cluster, topic, after, 3, log)
	for _, messages := range []<-chan *message.Message{member, follower} {
		for i := range after {
			msg := receive(t, messages)
			require.Equal(t, strconv.Itoa(1000+i), string(msg.Payload))
			msg.Ack()
		}
		require.EqualValues(t, before, await(t, "the loss is reported", losses).Wanted)
	}
	eventuallyCommitted(t, cluster, topic, 0, after)
	var lost *kafka.OffsetLostError
	require.ErrorAs(t, await(t, "the reader ends", ended), &lost)
	require.EqualValues(t, before, lost.Wanted)
}

// The topic is deleted and created while no member runs: brokers forget the offsets of a topic with it.
func TestAMemberThatComesBackToARecreatedTopicReadsItFromItsStart(t *testing.T) {
	t.Parallel()
	const before, after = 10, 30
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, before)...))
	early := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic})
	messages := subscribe(t, early, topic)
	for range before {
		receive(t, messages).Ack()
	}
	require.NoError(t, early.Close())
	require.Equal(t, []int64{before}, committed(t.Context(), t, cluster, topic, topic))

	recreate(t, cluster, topic, after, 0, noticing{})
	messages = subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic}), topic)
	for i := range after {
		msg := receive(t, messages)
		require.Equal(t, strconv.Itoa(1000+i), string(msg.Payload))
		msg.Ack()
	}
}
