package workers

import (
	"encoding/json"
	"fmt"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// Metadata by which messages and the Kafka adapter understand each other. A test compares them with the adapter's.
const (
	// MetadataKey holds the record key: messages with the same key keep their order.
	MetadataKey = "kafka_key"
	// Where a message was read, and how often it was delivered.
	metadataPartition = "kafka_source_partition"
	metadataOffset    = "kafka_source_offset"
	metadataAttempt   = "kafka_attempt"
	// metadataNackReason tells the adapter's log why a message was refused.
	metadataNackReason = "kafka_nack_reason"
	// deadLetterSuffix makes the name of a topic for dead letters.
	deadLetterSuffix = ".dlq"
)

// Headers of dead letters: where the message was, why it cannot be handled, by whom, and how often it was delivered.
const (
	HeaderDeadLetterTopic     = "dlq_topic"
	HeaderDeadLetterPartition = "dlq_partition"
	HeaderDeadLetterOffset    = "dlq_offset"
	HeaderDeadLetterError     = "dlq_error"
	HeaderDeadLetterAttempts  = "dlq_attempts"
	HeaderDeadLetterHandler   = "dlq_handler"
)

// deadLetter returns the letter about a message that a handler cannot handle.
func deadLetter(h Handler, msg *message.Message, cause error) *message.Message {
	letter := msg.Copy()
	for header, text := range map[string]string{
		HeaderDeadLetterTopic:     h.Topic,
		HeaderDeadLetterPartition: msg.Metadata.Get(metadataPartition),
		HeaderDeadLetterOffset:    msg.Metadata.Get(metadataOffset),
		HeaderDeadLetterError:     cause.Error(),
		HeaderDeadLetterAttempts:  msg.Metadata.Get(metadataAttempt),
		HeaderDeadLetterHandler:   h.Name,
	} {
		letter.Metadata.Set(header, text)
	}
	return letter
}

// DeadLetterTopic names the topic for the messages of a topic that can never be handled.
func DeadLetterTopic(topic string) string { return topic + deadLetterSuffix }

// NewMessage returns a message with the JSON of v as its payload. The key is also its correlation id.
func NewMessage(key string, v any) (*message.Message, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	msg := Tombstone(key)
	msg.Payload = payload
	middleware.SetCorrelationID(key, msg)
	return msg, nil
}

// Tombstone returns the message that deletes a key from a compacted topic.
func Tombstone(key string) *message.Message {
	msg := message.NewMessage(watermill.NewUUID(), nil)
	msg.Metadata.Set(MetadataKey, key)
	return msg
}

// Correlation returns the correlation id of a message, or else its own id.
func Correlation(msg *message.Message) string {
	if id := middleware.MessageCorrelationID(msg); id != "" {
		return id
	}
	return msg.UUID
}
