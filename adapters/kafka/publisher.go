package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

const (
	// publishBatchWait is how long a call waits for company in its batch; kafka-go's default is one second.
	publishBatchWait = 5 * time.Millisecond
	publishTimeout   = 30 * time.Second
	publishAttempts  = 10
	// recordOverheadMax bounds what the format adds to a record beside key, value and headers, in bytes.
	recordOverheadMax = 128
	headerOverheadMax = 10
	// defaultMaxMessageBytes stays below the broker's default limit of 1 048 588 bytes for a batch.
	defaultMaxMessageBytes = 1_000_000
)

var (
	// ErrMessageTooLarge means that a message is over the size limit; nothing of the call was written.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrClosed means that the publisher or subscriber was closed.
	ErrClosed = errors.New("closed")
)

// PublisherConfig has the limits of a Publisher.
type PublisherConfig struct {
	// MaxMessageBytes bounds one message with key and headers; keep it below the topic's max.message.bytes.
	// 0 means 1 000 000.
	MaxMessageBytes int
}

// Validate reports every invalid field at once.
func (c PublisherConfig) Validate() error {
	if c.MaxMessageBytes < 0 {
		return fmt.Errorf("max message bytes %d is negative", c.MaxMessageBytes)
	}
	return nil
}

var _ message.Publisher = (*Publisher)(nil)

// Publisher implements message.Publisher: every message is acknowledged by all in-sync replicas before Publish
// returns. A failed Publish may have written some of its messages; publishing them again is the remedy.
type Publisher struct {
	cluster  *Cluster
	writer   *kafkago.Writer
	maxBytes int
}

// NewPublisher makes a publisher on a shared cluster. Close it before the cluster.
func NewPublisher(cluster *Cluster, cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka publisher config: %w", err)
	}
	maxBytes := cfg.MaxMessageBytes
	if maxBytes == 0 {
		maxBytes = defaultMaxMessageBytes
	}
	return &Publisher{cluster: cluster, maxBytes: maxBytes, writer: &kafkago.Writer{
		Addr:         kafkago.TCP(cluster.brokers...),
		Transport:    cluster.transport,
		Balancer:     balancer{},
		RequiredAcks: kafkago.RequireAll,
		BatchTimeout: publishBatchWait,
		BatchBytes:   int64(maxBytes),
		MaxAttempts:  publishAttempts,
		ReadTimeout:  requestTimeout,
		WriteTimeout: requestTimeout,
	}}, nil
}

// Publish writes the messages of one call in one go: those of one partition keep their order. The partition is
// MetadataPartition, else Murmur2 over MetadataKey as in the Java client, else random. It returns
// ErrMessageTooLarge, ErrClosed, or what the broker said about the first message that failed.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	records := make([]kafkago.Message, len(messages))
	for i, msg := range messages {
		record, err := toKafkaGo(topic, msg)
		if err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		if size := recordSize(record.Key, record.Value, record.Headers); size > p.maxBytes {
			return fmt.Errorf("publish message %s of %d bytes to %s: %w", msg.UUID, size, topic, ErrMessageTooLarge)
		}
		records[i] = record
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	return p.write(ctx, topic, records)
}

func (p *Publisher) write(ctx context.Context, topic string, records []kafkago.Message) error {
	err := p.writer.WriteMessages(ctx, records...)
	var failures kafkago.WriteErrors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failures):
		return fmt.Errorf("publish to %s: %d of %d messages failed: %w",
			topic, failures.Count(), len(records), firstError(failures))
	case errors.Is(err, kafkago.UnknownTopicOrPartition):
		// Nothing was sent. The topic may be younger than the cached metadata.
		if _, lookupErr := p.cluster.partitions(ctx, topic); lookupErr != nil {
			return fmt.Errorf("publish to %s: %w", topic, lookupErr)
		}
		if err = p.writer.WriteMessages(ctx, records...); err == nil {
			return nil
		}
		return fmt.Errorf("publish to %s: %w", topic, err)
	default:
		return fmt.Errorf("publish to %s: %w", topic, translateClosed(err))
	}
}

// Close flushes what is being written and refuses further messages. It is safe to call twice.
func (p *Publisher) Close() error {
	if err := p.writer.Close(); err != nil {
		return fmt.Errorf("close kafka publisher: %w", err)
	}
	return nil
}

func firstError(failures kafkago.WriteErrors) error {
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return errors.New("kafka-go reported no cause")
}

// recordSize is an upper bound of the bytes a record takes in a batch.
func recordSize(key, value []byte, headers []Header) int {
	size := recordOverheadMax + len(key) + len(value)
	for _, h := range headers {
		size += headerOverheadMax + len(h.Key) + len(h.Value)
	}
	return size
}

// balancer obeys an explicit partition and leaves the rest to Murmur2.
type balancer struct{ byKey kafkago.Murmur2Balancer }

// Balance implements kafkago.Balancer. A partition that does not exist is refused by the broker.
func (b balancer) Balance(msg kafkago.Message, partitions ...int) int {
	if partition, ok := msg.WriterData.(int); ok && partition != noPartition {
		return partition
	}
	return b.byKey.Balance(msg, partitions...)
}
