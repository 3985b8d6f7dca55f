package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	orderedAttemptsMax = 10
	orderedBackoffMin  = 50 * time.Millisecond
	orderedBackoffMax  = 2 * time.Second
	orderedRecordsMax  = 10_000
)

// OrderedPublisher writes records into one partition in exactly the given order. It is an idempotent producer: the
// broker recognises a batch that is sent again because its acknowledgement was lost. kafka-go's Writer can do neither:
// it goes on with the next batch after one has failed, and its retries may write twice.
//
// What is sent again after PublishBatch returned an error, or by another process, may be in the topic twice.
type OrderedPublisher struct {
	cluster  *Cluster
	maxBytes int

	mu        sync.Mutex
	producers map[target]*producer
}

type target struct {
	topic     string
	partition int
}

// NewOrderedPublisher makes an ordered publisher on a shared cluster. The limit of the config bounds a record and a
// batch. It holds nothing that has to be closed.
func NewOrderedPublisher(cluster *Cluster, cfg PublisherConfig) (*OrderedPublisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka ordered publisher config: %w", err)
	}
	maxBytes := cfg.MaxMessageBytes
	if maxBytes == 0 {
		maxBytes = defaultMaxMessageBytes
	}
	return &OrderedPublisher{cluster: cluster, maxBytes: maxBytes, producers: make(map[target]*producer)}, nil
}

// OffsetUnknown is what PublishBatch returns when the broker does not tell: for no records, and for a repetition that
// is older than what the broker remembers.
const OffsetUnknown int64 = -1

// PublishBatch writes the records in order and returns after all replicas have acknowledged them, with the offset of
// the last one or OffsetUnknown. Records that do not fit into one batch are written as several, one after the other.
// At the first error it stops: nothing after the failed batch has been written. It returns ErrMessageTooLarge before
// anything is written. Calls for the same partition wait for each other; different partitions are independent.
func (p *OrderedPublisher) PublishBatch(
	ctx context.Context, topic string, partition int, records []Record,
) (last int64, err error) {
	for i, r := range records {
		if size := recordSize(r.Key, r.Value, r.Headers); size > p.maxBytes {
			return 0, fmt.Errorf("publish record %d of %d bytes to %s/%d: %w", i, size, topic, partition, ErrMessageTooLarge)
		}
	}
	producer := p.producer(target{topic, partition})
	producer.mu.Lock()
	defer producer.mu.Unlock()
	last = OffsetUnknown
	for done := 0; done < len(records); {
		n := fits(records[done:], p.maxBytes)
		if last, err = producer.write(ctx, records[done:done+n]); err != nil {
			return 0, fmt.Errorf("publish records %d to %d of %d to %s/%d: %w",
				done, done+n-1, len(records), topic, partition, err)
		}
		done += n
	}
	return last, nil
}

// fits returns how many of the records make one batch, at least one.
func fits(records []Record, maxBytes int) int {
	size := 0
	for i, r := range records {
		size += recordSize(r.Key, r.Value, r.Headers)
		if i > 0 && (size > maxBytes || i == orderedRecordsMax) {
			return i
		}
	}
	return len(records)
}

func (p *OrderedPublisher) producer(to target) *producer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.producers[to] == nil {
		p.producers[to] = &producer{cluster: p.cluster, to: to}
	}
	return p.producers[to]
}

// producer is the idempotent producer of one partition. Each partition has its own id, so that a failure in one
// resets no other.
type producer struct {
	cluster *Cluster
	to      target

	mu    sync.Mutex
	ready bool
	next  sequenced
}

// write sends one batch until it is acknowledged or the attempts are used up. It returns the offset of the last record.
func (p *producer) write(ctx context.Context, records []Record) (last int64, err error) {
	retry := backoff{min: orderedBackoffMin, max: orderedBackoffMax}
	var batch []byte
	for attempt := 1; ; attempt++ {
		first := OffsetUnknown
		err := p.identify(ctx)
		if err == nil {
			if batch == nil {
				batch = encodeBatch(p.next, records, time.Now())
			}
			first, err = p.send(ctx, batch)
		}
		if err == nil {
			p.next.sequence = advance(p.next.sequence, len(records))
			if first == OffsetUnknown {
				return OffsetUnknown, nil
			}
			return first + int64(len(records)) - 1, nil
		}
		if attempt == orderedAttemptsMax || !retriable(err) || !pause(ctx, retry.next()) {
			// It is unknown whether the batch was written. Under this id the broker would take other records with
			// the same sequence for a repetition and drop them, so the id must not be used again.
			p.ready = false
			return 0, err
		}
	}
}

// advance returns the sequence number after n records; it wraps from the largest int32 to 0.
func advance(sequence int32, n int) int32 {
	return int32((int64(sequence) + int64(n)) & math.MaxInt32)
}

// identify obtains a producer id if there is none.
func (p *producer) identify(ctx context.Context) error {
	if p.ready {
		return nil
	}
	res, err := p.cluster.client.InitProducerID(ctx, &kafkago.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("obtain a producer id: %w", err)
	}
	p.next = sequenced{producerID: int64(res.Producer.ProducerID), epoch: int16(res.Producer.ProducerEpoch)}
	p.ready = true
	return nil
}

// send sends a batch once and returns the offset of its first record.
func (p *producer) send(ctx context.Context, batch []byte) (first int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := p.cluster.client.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic:        p.to.topic,
		Partition:    p.to.partition,
		RequiredAcks: kafkago.RequireAll,
		RawRecords:   protocol.RawRecordSet{Reader: bytes.NewReader(batch)},
	})
	if err == nil {
		err = res.Error
	}
	// A repetition that is older than what the broker remembers has been written all the same.
	if errors.Is(err, kafkago.DuplicateSequenceNumber) {
		return OffsetUnknown, nil
	}
	if err != nil {
		return 0, err
	}
	return res.BaseOffset, nil
}

// retriable tells whether the same batch may be sent again: trouble with the connection, or an error that the broker
// calls temporary.
func retriable(err error) bool {
	if code, ok := errors.AsType[kafkago.Error](err); ok {
		return code.Temporary()
	}
	return true
}
