package kfake

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// trimEvery is the pause between two looks at the topics that are trimmed.
const trimEvery = 10 * time.Second

// Trimmed is a topic of which only the newest records are kept. The broker holds 72 bytes in memory for each batch that
// it has, for as long as it has it.
type Trimmed struct {
	// Topic is its name. Required. Nothing happens before it exists.
	Topic string
	// Newest is how many records of each partition are kept in any case, at least 1, for who reads without a group.
	Newest int64
	// Groups are the consumer groups that read the topic. What one of them has not committed stays, whatever its age.
	Groups []string
}

func (t Trimmed) validate() error {
	var errs []error
	if t.Topic == "" {
		errs = append(errs, errors.New("trimmed topic: name is required"))
	}
	if t.Newest < 1 {
		errs = append(errs, fmt.Errorf("trimmed topic %s: newest %d is below 1", t.Topic, t.Newest))
	}
	return errors.Join(errs...)
}

// trimming trims until ctx ends.
func (b *Broker) trimming(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := b.Trim(); err != nil {
			b.log.Error("embedded kafka: cannot trim its topics", "error", err)
		}
	}
}

// Trim deletes what may go from the trimmed topics. A broker does so by itself every trimEvery. It must not be closed.
func (b *Broker) Trim() error {
	var errs []error
	for _, t := range b.trimmed {
		errs = append(errs, b.trim(t))
	}
	return errors.Join(errs...)
}

func (b *Broker) trim(t Trimmed) error {
	// Commits are read before the ends, so that they are never newer than these.
	read := make([]map[int32]int64, len(t.Groups))
	for i, group := range t.Groups {
		read[i] = b.committed(group, t.Topic)
	}
	for _, p := range b.cluster.PartitionInfos(t.Topic) {
		start := p.HighWatermark - t.Newest
		for _, offsets := range read {
			start = min(start, offsets[p.Partition]) // 0 where there is no commit
		}
		if start <= p.LogStartOffset {
			continue
		}
		if err := b.cluster.DeleteRecords(t.Topic, p.Partition, start); err != nil {
			return fmt.Errorf("trim partition %d of %s to offset %d: %w", p.Partition, t.Topic, start, err)
		}
	}
	return nil
}

// committed returns what a group has committed, by partition; nil where there is no such group.
func (b *Broker) committed(group, topic string) map[int32]int64 {
	info := b.cluster.GroupInfo(group)
	if info == nil {
		return nil
	}
	offsets := map[int32]int64{}
	for partition, commit := range info.Commits[topic] {
		offsets[partition] = commit.Offset
	}
	return offsets
}
