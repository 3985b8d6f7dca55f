package kafka_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
)

func TestLateAckOfAFormerOwnerMovesNoOffset(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 2)
	publisher := newPublisher(t, cluster)
	for partition := range 2 {
		require.NoError(t, publisher.Publish(topic, toPartition(partition, numbered("k", 0, 10)...)...))
	}
	former := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic}), topic)
	held := make(map[string]*message.Message)
	for len(held) < 2 {
		msg := receive(t, former)
		held[msg.Metadata[kafka.MetadataSourcePartition]] = msg
	}

	owner := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic}), topic)
	first := receive(t, owner)
	moved := first.Metadata[kafka.MetadataSourcePartition]
	require.Equal(t, "0", first.Metadata[kafka.MetadataSourceOffset], "nothing was acked before")
	await(t, "the former owner's context ends", held[moved].Context().Done())
	first.Ack()
	for range 9 {
		receive(t, owner).Ack()
	}
	movedIndex, err := strconv.Atoi(moved)
	require.NoError(t, err)
	eventuallyCommitted(t, cluster, topic, movedIndex, 10)

	held[moved].Ack()
	for range 10 {
		receive(t, former).Ack()
	}
	eventuallyCommitted(t, cluster, topic, 1-movedIndex, 10)
	require.Equal(t, []int64{10, 10}, committed(t.Context(), t, cluster, topic, topic))
}

// eventuallyCommitted waits for a commit; the group is named like the topic.
func eventuallyCommitted(t *testing.T, cluster *kafka.Cluster, topic string, partition int, want int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		lags, err := kafka.NewAdmin(cluster).Lag(t.Context(), topic, topic)
		return err == nil && lags[partition].Committed == want
	}, receiveTimeout, 20*time.Millisecond)
}

func TestAckWhileClosingIsCommitted(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, 5)...))
	subscriber := newSubscriber(t, cluster, kafka.SubscriberConfig{
		Group: topic, DrainTimeout: 5 * time.Second, CommitInterval: time.Hour,
	})
	messages := subscribe(t, subscriber, topic)
	receive(t, messages).Ack()
	running := receive(t, messages)
	closed := make(chan error)
	go func() { closed <- subscriber.Close() }()
	await(t, "the context of the running message ends", running.Context().Done())
	running.Ack()
	require.NoError(t, await(t, "close returns", closed))
	require.Equal(t, []int64{2}, committed(t.Context(), t, cluster, topic, topic))
	_, open := <-messages
	require.False(t, open)
}

// TestRebalanceUnderLoad lets members come and go while messages flow. Redelivery is allowed, a gap is not: within a
// key, message n may come only after n-1.
func TestRebalanceUnderLoadLosesNothingAndKeepsTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	const keys, perKey, partitions = 20, 60, 6
	cluster := newCluster(t)
	topic := newTopic(t, cluster, partitions)
	seen := newLedger(keys, perKey)
	var consumers sync.WaitGroup
	join := func() *kafka.Subscriber {
		subscriber := newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic, DrainTimeout: time.Second})
		messages := subscribe(t, subscriber, topic)
		consumers.Go(func() {
			for msg := range messages {
				seen.take(msg)
				msg.Ack()
			}
		})
		return subscriber
	}
	first := join()
	var publishing sync.WaitGroup
	publisher := newPublisher(t, cluster)
	for key := range keys {
		publishing.Go(func() {
			for _, msg := range numbered("key-"+strconv.Itoa(key), 0, perKey) {
				if err := publisher.Publish(topic, msg); err != nil {
					seen.fail("publish: " + err.Error())
					return
				}
			}
		})
	}
	await(t, "a third is through", seen.reached(keys*perKey/3))
	second, third := join(), join()
	await(t, "half is through", seen.reached(keys*perKey/2))
	require.NoError(t, first.Close())
	publishing.Wait()
	await(t, "all is through", seen.reached(keys*perKey))
	require.NoError(t, second.Close())
	require.NoError(t, third.Close())
	consumers.Wait()
	require.Empty(t, seen.faults)
	for _, lag := range must(kafka.NewAdmin(cluster).Lag(t.Context(), topic, topic))(t) {
		require.Zero(t, lag.Lag, "partition %d", lag.Partition)
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

// ledger checks the order of what several consumers get.
type ledger struct {
	mu     sync.Mutex
	next   map[string]int
	total  int
	faults []string
	waits  map[int]chan struct{}
}

func newLedger(keys, perKey int) *ledger {
	all := keys * perKey
	return &ledger{next: make(map[string]int), waits: map[int]chan struct{}{
		all / 3: make(chan struct{}), all / 2: make(chan struct{}), all: make(chan struct{}),
	}}
}

func (l *ledger) take(msg *message.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := msg.Metadata[kafka.MetadataKey]
	n, err := strconv.Atoi(string(msg.Payload))
	switch {
	case err != nil || n > l.next[key]:
		l.faults = append(l.faults, key+" expected "+strconv.Itoa(l.next[key])+", got "+string(msg.Payload))
	case n == l.next[key]:
		l.next[key]++
		l.total++
		if wait, ok := l.waits[l.total]; ok {
			close(wait)
		}
	}
}

func (l *ledger) fail(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, fault)
}

func (l *ledger) reached(total int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waits[total]
}

func TestPoisonMessageGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	publisher := newPublisher(t, cluster)
	sent := numbered("k", 0, 3)
	sent[1].Metadata.Set("ce_type", "t.v1")
	require.NoError(t, publisher.Publish(topic, sent...))
	subscriber := newSubscriber(t, cluster, kafka.SubscriberConfig{
		Group: topic, DeadLetters: publisher, AttemptsMax: 3,
	})
	messages := subscribe(t, subscriber, topic)
	receive(t, messages).Ack()
	for range 3 {
		msg := receive(t, messages)
		require.Equal(t, sent[1].UUID, msg.UUID, "the next message waits for this one")
		msg.Metadata.Set(kafka.MetadataNackReason, "cannot be read")
		msg.Nack()
	}
	last := receive(t, messages)
	require.Equal(t, sent[2].UUID, last.UUID)
	last.Ack()
	eventuallyCommitted(t, cluster, topic, 0, 3)

	letter := receive(t, subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{}), kafka.DeadLetterTopic(topic)))
	letter.Ack()
	require.Equal(t, sent[1].UUID, letter.UUID)
	require.Equal(t, "1", string(letter.Payload))
	for key, want := range map[string]string{
		kafka.MetadataKey: "k", "ce_type": "t.v1", kafka.HeaderDeadLetterTopic: topic,
		kafka.HeaderDeadLetterPartition: "0", kafka.HeaderDeadLetterOffset: "1",
		kafka.HeaderDeadLetterError: "cannot be read", kafka.HeaderDeadLetterAttempts: "3",
	} {
		require.Equal(t, want, letter.Metadata[key], key)
	}
}

func TestWithoutDeadLettersAMessageIsRetriedForEver(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	sent := numbered("k", 0, 2)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, sent...))
	messages := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{Group: topic, AttemptsMax: 2}), topic)
	for range 10 {
		msg := receive(t, messages)
		require.Equal(t, sent[0].UUID, msg.UUID)
		msg.Nack()
	}
	receive(t, messages).Ack()
	msg := receive(t, messages)
	require.Equal(t, sent[1].UUID, msg.UUID)
	msg.Ack()
}

func TestStartAtTheEndIsCommittedBeforeAnyMessage(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	topic := newTopic(t, cluster, 1)
	publisher := newPublisher(t, cluster)
	require.NoError(t, publisher.Publish(topic, numbered("k", 0, 5)...))
	cfg := kafka.SubscriberConfig{Group: topic, Start: kafka.LastOffset}
	early := newSubscriber(t, cluster, cfg)
	subscribe(t, early, topic)
	eventuallyCommitted(t, cluster, topic, 0, 5)
	require.NoError(t, early.Close())
	require.NoError(t, publisher.Publish(topic, numbered("k", 5, 6)...))
	msg := receive(t, subscribe(t, newSubscriber(t, cluster, cfg), topic))
	require.Equal(t, "5", string(msg.Payload), "published between two members")
	msg.Ack()
}

func TestCommittedOffsetBeyondTheLogIsReported(t *testing.T) {
	t.Parallel()
	addrs := brokers(t)
	cluster := connect(t, addrs...)
	topic := newTopic(t, cluster, 1)
	require.NoError(t, newPublisher(t, cluster).Publish(topic, numbered("k", 0, 3)...))
	commitDirectly(t.Context(), t, addrs, topic, 100)
	losses := make(chan kafka.OffsetLoss, 1)
	messages := subscribe(t, newSubscriber(t, cluster, kafka.SubscriberConfig{
		Group: topic, OnOffsetLost: func(loss kafka.OffsetLoss) { losses <- loss },
	}), topic)
	receive(t, messages).Ack()
	loss := await(t, "the loss is reported", losses)
	require.Equal(t, kafka.OffsetLoss{Topic: topic, Group: topic, Wanted: 100, LogEnd: 3}, loss)
	require.Zero(t, loss.Missed())
}

func commitDirectly(ctx context.Context, t *testing.T, addrs []string, topic string, offset int64) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(addrs...), Transport: transport}
	res, err := client.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		GroupID: topic, GenerationID: -1,
		Topics: map[string][]kafkago.OffsetCommit{topic: {{Partition: 0, Offset: offset}}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Topics[topic][0].Error)
}
