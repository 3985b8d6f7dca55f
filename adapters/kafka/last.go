package kafka

import (
	"context"
	"fmt"
)

// lastSkippedMax bounds how many records Last passes over.
const lastSkippedMax = 1000

// Bounds returns the first offset of a partition and the one after its last record.
func (a *Admin) Bounds(ctx context.Context, topic string, partition int) (start, end int64, err error) {
	found, err := a.cluster.offsets(ctx, topic, []int{partition})
	return found[partition].start, found[partition].end, err
}

// Last returns the newest record of a partition for which skip, if it is not nil, returns false. Without one, empty
// says whether the partition has never had any; if it has had records but holds none any more, or too many that are to
// be skipped, both the record and empty are zero.
func (a *Admin) Last(
	ctx context.Context, topic string, partition int, skip func(Record) bool,
) (last *Record, empty bool, err error) {
	found, err := a.cluster.offsets(ctx, topic, []int{partition})
	if err != nil {
		return nil, false, err
	}
	has := found[partition]
	if has.end == 0 || has.start == has.end {
		return nil, has.end == 0, nil
	}
	f := &follower{cluster: a.cluster, topic: topic, partition: partition, maxBytes: defaultBatchBytes}
	defer f.disconnect()
	for end := has.end; end > max(has.start, has.end-lastSkippedMax); {
		f.next = end - 1
		records, _, err := f.fetch(ctx)
		if err != nil {
			return nil, false, fmt.Errorf("read the last record of %s/%d: %w", topic, partition, err)
		}
		if len(records) > 0 && (skip == nil || !skip(records[0])) {
			return &records[0], false, nil
		}
		end-- // to be skipped, compacted away, or a control record
	}
	return nil, false, nil
}
