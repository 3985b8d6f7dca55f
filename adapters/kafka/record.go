package kafka

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

// Offsets that stand for a place instead of a number.
const (
	// FirstOffset is the oldest record that the partition still has.
	FirstOffset = kafkago.FirstOffset
	// LastOffset is the place of the record that will be written next.
	LastOffset = kafkago.LastOffset
)

// Metadata keys of messages. Those that begin with kafka_ are about the transport and never become headers.
const (
	// MetadataID holds the stable id of the message; it wins over the Watermill UUID when publishing.
	MetadataID = "ce_id"
	// MetadataKey holds the record key, when publishing and on receipt.
	MetadataKey = "kafka_key"
	// MetadataPartition forces the partition when publishing (a decimal number). It is not set on receipt, so that
	// a message passed on to another topic is not tied to the partition it came from.
	MetadataPartition = "kafka_partition"
	// MetadataSourcePartition holds the partition a message was read from.
	MetadataSourcePartition = "kafka_source_partition"
	// MetadataSourceOffset holds the offset a message was read from.
	MetadataSourceOffset = "kafka_source_offset"
	// MetadataTimestamp holds the broker's time of the record, RFC 3339 in UTC with milliseconds.
	MetadataTimestamp = "kafka_timestamp"
	// MetadataTombstone is "true" on receipt of a tombstone.
	MetadataTombstone = "kafka_tombstone"
	// MetadataAttempt counts the deliveries of a message, from 1.
	MetadataAttempt = "kafka_attempt"
	// MetadataNackReason may be set by a handler before it nacks; it becomes the error text of the dead letter.
	MetadataNackReason = "kafka_nack_reason"

	transportPrefix = "kafka_"
	timestampLayout = "2006-01-02T15:04:05.000Z07:00"
)

// Header is one Kafka record header.
type Header = kafkago.Header

// Record is one Kafka record. Topic, Partition and Offset are set on receipt only.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	// Time is the record's timestamp in milliseconds; zero means now when publishing.
	Time time.Time
	// Key may be nil.
	Key []byte
	// Value nil is a tombstone when publishing; on receipt an empty value is nil as well.
	Value   []byte
	Headers []Header
}

// fromKafkaGo takes over a record as kafka-go read it; the byte slices are its own.
func fromKafkaGo(msg kafkago.Message) Record {
	return Record{
		Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Time: msg.Time,
		Key: msg.Key, Value: msg.Value, Headers: msg.Headers,
	}
}

// message makes the Watermill message of a record. Every delivery gets a new one, since a message can be acked once.
func (r Record) message() *message.Message {
	metadata := make(message.Metadata, len(r.Headers)+4)
	for _, h := range r.Headers {
		// A foreign producer must not pretend transport facts.
		if !strings.HasPrefix(h.Key, transportPrefix) {
			metadata[h.Key] = string(h.Value)
		}
	}
	uuid := metadata[MetadataID]
	if uuid == "" {
		uuid = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
	}
	metadata[MetadataSourcePartition] = strconv.Itoa(r.Partition)
	metadata[MetadataSourceOffset] = strconv.FormatInt(r.Offset, 10)
	metadata[MetadataTimestamp] = r.Time.UTC().Format(timestampLayout)
	if len(r.Key) > 0 {
		metadata[MetadataKey] = string(r.Key)
		if len(r.Value) == 0 {
			metadata[MetadataTombstone] = "true"
		}
	}
	msg := message.NewMessage(uuid, r.Value)
	msg.Metadata = metadata
	return msg
}

// noPartition lets the key decide.
const noPartition = -1

// toKafkaGo makes the record of a Watermill message. The partition travels in WriterData, where the balancer finds it.
func toKafkaGo(topic string, msg *message.Message) (kafkago.Message, error) {
	out := kafkago.Message{Topic: topic, Value: msg.Payload, WriterData: noPartition}
	if text, ok := msg.Metadata[MetadataPartition]; ok {
		partition, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return out, fmt.Errorf("message %s: partition %q is not a number: %w", msg.UUID, text, err)
		}
		out.WriterData = int(partition)
	}
	if key := msg.Metadata[MetadataKey]; key != "" {
		out.Key = []byte(key)
	}
	if len(out.Value) == 0 {
		out.Value = nil
		if out.Key == nil {
			out.Value = []byte{}
		}
	}
	out.Headers = headers(msg)
	return out, nil
}

// headers are sorted, so that the same message always has the same bytes.
func headers(msg *message.Message) []Header {
	out := make([]Header, 0, len(msg.Metadata)+1)
	if msg.Metadata[MetadataID] == "" {
		out = append(out, Header{Key: MetadataID, Value: []byte(msg.UUID)})
	}
	for _, key := range slices.Sorted(maps.Keys(msg.Metadata)) {
		value := msg.Metadata[key]
		if strings.HasPrefix(key, transportPrefix) || (key == MetadataID && value == "") {
			continue
		}
		out = append(out, Header{Key: key, Value: []byte(value)})
	}
	return out
}
