package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Headers of dead letters.
const (
	HeaderDeadLetterTopic     = "dlq_topic"
	HeaderDeadLetterPartition = "dlq_partition"
	HeaderDeadLetterOffset    = "dlq_offset"
	HeaderDeadLetterError     = "dlq_error"
	HeaderDeadLetterAttempts  = "dlq_attempts"
	// HeaderDeadLetterHandler is set by whoever gave up, where there are several.
	HeaderDeadLetterHandler = "dlq_handler"

	deadLetterSuffix = ".dlq"
	reasonUnknown    = "the handler nacked the message without a reason"
)

// DeadLetterTopic names the topic for the dead letters of a topic. It has to be created like any other.
func DeadLetterTopic(topic string) string { return topic + deadLetterSuffix }

// delivery hands records of one subscription to the handler.
type delivery struct {
	sub *Subscriber
	out chan<- *message.Message
}

// deliver returns nil when the record is done with: acked or a dead letter. Otherwise the context ended first.
func (d delivery) deliver(ctx context.Context, record Record) error {
	retry := backoff{min: d.sub.cfg.RetryMin, max: d.sub.cfg.RetryMax}
	for attempt := 1; ; attempt++ {
		reason, err := d.attempt(ctx, record, attempt)
		if err != nil || reason == "" {
			return err
		}
		if d.sub.cfg.DeadLetters != nil && attempt >= d.sub.cfg.AttemptsMax {
			return d.bury(ctx, record, attempt, reason)
		}
		wait := retry.next()
		d.sub.cluster.log.Warn("message nacked", "topic", record.Topic, "partition", record.Partition,
			"offset", record.Offset, "attempt", attempt, "retry_in", wait, "error", reason)
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// attempt delivers once. The reason is empty after an ack.
func (d delivery) attempt(ctx context.Context, record Record, n int) (reason string, err error) {
	if ctx.Err() != nil {
		return "", ctx.Err() // A select with two ready cases may choose the handler.
	}
	msg := record.message()
	msg.Metadata[MetadataAttempt] = strconv.Itoa(n)
	msgCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	msg.SetContext(msgCtx)
	select {
	case d.out <- msg:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	select {
	case <-msg.Acked():
		return "", nil
	case <-msg.Nacked():
		return nackReason(msg), nil
	case <-ctx.Done():
		return "", d.drain(ctx, msg)
	}
}

// drain gives a handler whose context was cancelled a short time to finish: an ack that still comes is committed, and
// the next owner of the partition does not repeat the work or run beside it.
func (d delivery) drain(ctx context.Context, msg *message.Message) error {
	timer := time.NewTimer(d.sub.cfg.DrainTimeout)
	defer timer.Stop()
	select {
	case <-msg.Acked():
		return nil
	case <-msg.Nacked():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

func nackReason(msg *message.Message) string {
	if reason := msg.Metadata[MetadataNackReason]; reason != "" {
		return reason
	}
	return reasonUnknown
}

// bury publishes the dead letter, and tries until it succeeds: going on without it would lose the message.
func (d delivery) bury(ctx context.Context, record Record, attempts int, reason string) error {
	letter := record.message()
	letter.Metadata[HeaderDeadLetterTopic] = record.Topic
	letter.Metadata[HeaderDeadLetterPartition] = strconv.Itoa(record.Partition)
	letter.Metadata[HeaderDeadLetterOffset] = strconv.FormatInt(record.Offset, 10)
	letter.Metadata[HeaderDeadLetterError] = reason
	letter.Metadata[HeaderDeadLetterAttempts] = strconv.Itoa(attempts)
	log := d.sub.cluster.log.With("topic", record.Topic, "partition", record.Partition, "offset", record.Offset)
	retry := backoff{min: d.sub.cfg.RetryMin, max: d.sub.cfg.RetryMax}
	for {
		err := d.sub.cfg.DeadLetters.Publish(DeadLetterTopic(record.Topic), letter)
		if err == nil {
			log.Error("message moved to the dead letters", "attempts", attempts, "error", reason)
			return nil
		}
		wait := retry.next()
		log.Error("dead letter not published", "retry_in", wait, "error", err)
		if !pause(ctx, wait) {
			return fmt.Errorf("publish dead letter: %w", ctx.Err())
		}
	}
}
