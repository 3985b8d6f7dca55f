package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

const (
	// HeaderReplayed is set on messages that come from the dead letters.
	HeaderReplayed = "dlq_replayed"
	// letterPrefix begins the headers that tell of a dead letter.
	letterPrefix = "dlq_"
)

// Letter is a dead letter: a message that could not be handled, and why.
type Letter struct {
	// Record is where the letter lies, and the message as it was.
	Record
	// From, FromPartition and FromOffset are where the message was.
	From          string
	FromPartition int
	FromOffset    int64
	Error         string
	Attempts      int
	Handler       string
}

// LetterOf reads a record of a dead-letter topic. What its headers do not tell is zero.
func LetterOf(r Record) Letter {
	l := Letter{Record: r, FromPartition: noPartition, FromOffset: -1}
	for _, h := range r.Headers {
		text := string(h.Value)
		switch h.Key {
		case HeaderDeadLetterTopic:
			l.From = text
		case HeaderDeadLetterPartition:
			l.FromPartition = number(text, noPartition)
		case HeaderDeadLetterOffset:
			l.FromOffset = int64(number(text, -1))
		case HeaderDeadLetterError:
			l.Error = text
		case HeaderDeadLetterAttempts:
			l.Attempts = number(text, 0)
		case HeaderDeadLetterHandler:
			l.Handler = text
		}
	}
	return l
}

func number(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}

// Message returns the message as it was, for the place where it was, marked with HeaderReplayed.
func (l Letter) Message() *message.Message {
	msg := l.message()
	for key := range msg.Metadata {
		if strings.HasPrefix(key, letterPrefix) {
			delete(msg.Metadata, key)
		}
	}
	msg.Metadata[HeaderReplayed] = fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
	if l.FromPartition != noPartition {
		msg.Metadata[MetadataPartition] = strconv.Itoa(l.FromPartition)
	}
	return msg
}

// Read calls handle with the records of a partition from one offset up to another, which does not belong to them. The
// offsets must be in the log.
func (a *Admin) Read(
	ctx context.Context, topic string, partition int, from, to int64, handle func(Record) error,
) error {
	f := &follower{cluster: a.cluster, topic: topic, partition: partition, next: from, maxBytes: defaultBatchBytes}
	defer f.disconnect()
	for f.next < to {
		records, next, err := f.fetch(ctx)
		if err != nil {
			return fmt.Errorf("read %s/%d from offset %d: %w", topic, partition, f.next, err)
		}
		for _, r := range records {
			if r.Offset >= to {
				return nil
			}
			if err := handle(r); err != nil {
				return err
			}
		}
		f.next = next
	}
	return nil
}

// Commit sets the offset of a group that has no members.
func (a *Admin) Commit(ctx context.Context, group, topic string, partition int, offset int64) error {
	err := patiently(ctx, func(ctx context.Context) error {
		res, err := a.cluster.client.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
			GroupID: group, GenerationID: -1,
			Topics: map[string][]kafkago.OffsetCommit{topic: {{Partition: partition, Offset: offset}}},
		})
		if err == nil && len(res.Topics[topic]) == 1 {
			err = res.Topics[topic][0].Error
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("commit offset %d of %s/%d for %s: %w", offset, topic, partition, group, err)
	}
	return nil
}
