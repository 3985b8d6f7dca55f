package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// fetchWait is how long the broker holds a fetch that has nothing to answer.
	fetchWait = 500 * time.Millisecond
	// fetchTimeout bounds the whole fetch on our side; without it a dead connection would hold the reader for ever.
	fetchTimeout     = fetchWait + 10*time.Second
	fetchBackoffMin  = 50 * time.Millisecond
	fetchBackoffMax  = 5 * time.Second
	fetchBytesMin    = 1
	fetchBytesSingle = 1 << 20
)

// errNoProgress means that the broker has records beyond our offset but sent none of them.
var errNoProgress = errors.New("the broker sent no record although there are more")

// OffsetLoss describes an offset that the broker cannot serve: retention removed it, the log was cut, or the topic is
// another one of the same name.
type OffsetLoss struct {
	Topic     string
	Partition int
	// Group is empty without a consumer group.
	Group string
	// Wanted is the offset that was to be read next.
	Wanted int64
	// LogStart and LogEnd are what the partition has: the first offset and the one after the last.
	LogStart, LogEnd int64
	// Recreated says that the log is not the one that was read before: the topic was deleted and created, or the broker
	// has lost its data.
	Recreated bool
}

// Missed is the number of offsets that nobody can read any more; 0 when the log ends before the wanted offset, and
// unknown, therefore 0, when it is another log.
func (l OffsetLoss) Missed() int64 { return max(l.LogStart-l.Wanted, 0) }

// OffsetLostError is the error form of an OffsetLoss.
type OffsetLostError struct{ OffsetLoss }

// Error implements error.
func (e *OffsetLostError) Error() string {
	if e.Recreated {
		return fmt.Sprintf("%s/%d was deleted and created after offset %d was read (%d to %d)",
			e.Topic, e.Partition, e.Wanted-1, e.LogStart, e.LogEnd)
	}
	return fmt.Sprintf("offset %d of %s/%d is not in the log (%d to %d)",
		e.Wanted, e.Topic, e.Partition, e.LogStart, e.LogEnd)
}

// follower reads one partition over its own connection, batch after batch, through broker restarts and moves of the
// leader. It fetches by itself instead of through kafka.Reader, which jumps over lost offsets with a log line, reads
// ahead in the background, and commits whatever it is given.
type follower struct {
	cluster   *Cluster
	topic     string
	partition int
	// next is the absolute offset to read next.
	next     int64
	maxBytes int
	// onLost gives the offset to go on at, or the error that ends the run.
	onLost func(OffsetLoss) (int64, error)
	// handle gets the records in order and the offset after them; records may be empty when compaction left a gap.
	// Its error ends the run.
	handle func(ctx context.Context, records []Record, next int64) error

	conn *kafkago.Conn
	// last is the record before next, by which the log is recognised after trouble; nil if it is not known.
	last *mark
	// doubt is set by trouble: the log has to be recognised before it is read on.
	doubt doubt
}

// run follows the partition until the context ends (nil) or onLost or handle give up (their error).
func (f *follower) run(ctx context.Context) error {
	defer f.disconnect()
	retry := backoff{min: fetchBackoffMin, max: fetchBackoffMax}
	f.remember(ctx)
	for ctx.Err() == nil {
		if f.doubt != certain {
			if err := f.recognise(ctx, &retry); err != nil {
				return ignoreEnd(ctx, err)
			}
			if f.doubt != certain {
				continue
			}
		}
		records, next, err := f.fetch(ctx)
		switch {
		case err == nil:
			retry.reset()
			if next == f.next {
				continue
			}
			if err = f.handle(ctx, records, next); err != nil {
				return ignoreEnd(ctx, err)
			}
			f.passed(records, next)
		case errors.Is(err, kafkago.OffsetOutOfRange):
			if err = f.relocate(ctx, &retry); err != nil {
				return ignoreEnd(ctx, err)
			}
		default:
			f.wait(ctx, err, &retry)
		}
	}
	return nil
}

// ignoreEnd makes the normal end of a run nil.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// wait logs trouble and pauses. Trouble with the connection is always answered with a new one.
func (f *follower) wait(ctx context.Context, err error, retry *backoff) {
	f.disconnect()
	if ctx.Err() != nil {
		return
	}
	f.doubt = max(f.doubt, doubtOf(err))
	d := retry.next()
	f.cluster.log.Warn("kafka fetch failed", "topic", f.topic, "partition", f.partition, "offset", f.next,
		"retry_in", d, "error", err)
	pause(ctx, d)
}

// relocate decides where to go on after the broker refused the offset. The refusal is checked, because a broker that
// has just become leader may give it wrongly.
func (f *follower) relocate(ctx context.Context, retry *backoff) error {
	found, err := f.cluster.offsets(ctx, f.topic, []int{f.partition})
	if err != nil {
		f.wait(ctx, err, retry)
		return nil
	}
	has := found[f.partition]
	if has.contains(f.next) {
		f.wait(ctx, kafkago.OffsetOutOfRange, retry)
		return nil
	}
	return f.lose(has, false)
}

// lose goes on where onLost says.
func (f *follower) lose(has bounds, recreated bool) error {
	next, err := f.onLost(OffsetLoss{
		Topic: f.topic, Partition: f.partition, Wanted: f.next, LogStart: has.start, LogEnd: has.end, Recreated: recreated,
	})
	if err != nil {
		return err
	}
	f.next, f.last, f.doubt = next, nil, certain
	return nil
}

// fetch asks once for records at f.next. It returns what came, possibly nothing, and the offset after it.
func (f *follower) fetch(ctx context.Context) ([]Record, int64, error) {
	if f.conn == nil {
		conn, err := f.cluster.dialPartition(ctx, f.topic, f.partition)
		if err != nil {
			return nil, 0, err
		}
		f.conn = conn
	}
	conn := f.conn
	// Closing the connection is the only way to end a fetch that waits at the broker.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := conn.SetReadDeadline(time.Now().Add(fetchTimeout)); err != nil {
		return nil, 0, fmt.Errorf("set the read deadline: %w", err)
	}
	if _, err := conn.Seek(f.next, kafkago.SeekAbsolute|kafkago.SeekDontCheck); err != nil {
		return nil, 0, fmt.Errorf("seek %d: %w", f.next, err)
	}
	return f.read(conn.ReadBatchWith(kafkago.ReadBatchConfig{
		MinBytes: fetchBytesMin, MaxBytes: f.maxBytes, MaxWait: fetchWait,
	}))
}

// read empties a batch. An error after some records is left to the next fetch, which meets it again.
func (f *follower) read(batch *kafkago.Batch) ([]Record, int64, error) {
	var records []Record
	var err error
	for {
		var msg kafkago.Message
		if msg, err = batch.ReadMessage(); err != nil {
			break
		}
		records = append(records, fromKafkaGo(msg))
	}
	next, highWater := batch.Offset(), batch.HighWaterMark()
	_ = batch.Close() // Its error is the one ReadMessage returned.
	switch {
	case errors.Is(err, io.EOF):
		if next == f.next && highWater > next {
			return nil, 0, errNoProgress
		}
		return records, next, nil
	case errors.Is(err, kafkago.RequestTimedOut) && len(records) == 0:
		return nil, f.next, nil
	case len(records) > 0:
		f.disconnect()
		return records, records[len(records)-1].Offset + 1, nil
	default:
		return nil, 0, fmt.Errorf("fetch: %w", err)
	}
}

func (f *follower) disconnect() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}
