package kafka

import (
	"context"
	"errors"
	"hash/crc32"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// doubt is how sure a follower is that the log is the one it has read so far. A topic that was deleted and created has
// the same name, and its offsets begin anew: reading on at the old one would skip what is before it, in silence.
type doubt int

const (
	certain doubt = iota
	// checkable follows any trouble: the log is another one only if it shows.
	checkable
	// grave follows the answer that there is no such topic: the log is another one unless it shows that it is not.
	grave
)

func doubtOf(err error) doubt {
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return grave
	}
	return checkable
}

// mark is by what a record is recognised.
type mark struct {
	offset int64
	time   time.Time
	sum    uint32
}

func markOf(r Record) *mark {
	sum := crc32.ChecksumIEEE(r.Key)
	return &mark{offset: r.Offset, time: r.Time, sum: crc32.Update(sum, crc32.IEEETable, r.Value)}
}

// passed moves on behind records that were handled.
func (f *follower) passed(records []Record, next int64) {
	f.next = next
	if len(records) > 0 {
		f.last = markOf(records[len(records)-1])
	}
}

// remember looks at the record before the first one, so that the log can be recognised before anything is read. It is
// no matter if that fails.
func (f *follower) remember(ctx context.Context) {
	if f.next == 0 {
		return
	}
	if r, err := f.at(ctx, f.next-1); err == nil && r != nil {
		f.last = markOf(*r)
	}
}

// at returns the record at an offset, or nil if there is none: it was compacted away, or is not one of ours.
func (f *follower) at(ctx context.Context, offset int64) (*Record, error) {
	probe := follower{cluster: f.cluster, topic: f.topic, partition: f.partition, next: offset, maxBytes: fetchBytesSingle}
	defer probe.disconnect()
	records, _, err := probe.fetch(ctx)
	if err != nil || len(records) == 0 || records[0].Offset != offset {
		return nil, err
	}
	return &records[0], nil
}

// recognise finds out after trouble whether the log is the one that was read before, and otherwise does what onLost
// says. The doubt remains while it cannot be found out.
func (f *follower) recognise(ctx context.Context, retry *backoff) error {
	found, err := f.cluster.offsets(ctx, f.topic, []int{f.partition})
	if err != nil {
		f.wait(ctx, err, retry)
		return nil
	}
	has := found[f.partition]
	switch {
	case f.next == 0 || has.start > 0 && f.last == nil || f.last != nil && has.start > f.last.offset:
		// Nothing was read; or a log that retention has cut, which a new one is not.
		f.doubt = certain
		return nil
	case has.end < f.next && f.doubt == grave:
		return f.lose(has, true)
	case has.end < f.next:
		// A broker that has just started tells an end that is too small. The fetch knows better.
		f.doubt = certain
		return nil
	case f.last == nil:
		return f.decide(has, false)
	}
	r, err := f.at(ctx, f.last.offset)
	if err != nil {
		f.wait(ctx, err, retry)
		return nil
	}
	if r == nil {
		return f.decide(has, false)
	}
	if *markOf(*r) != *f.last {
		return f.lose(has, true)
	}
	return f.decide(has, true)
}

// decide ends the doubt.
func (f *follower) decide(has bounds, same bool) error {
	if !same && f.doubt == grave {
		return f.lose(has, true)
	}
	f.doubt = certain
	return nil
}
