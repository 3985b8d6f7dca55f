package kafka

import (
	"context"
	"fmt"
)

// Last returns the newest record of a partition. Without one, empty says whether the partition has never had any;
// if it has had records but holds none any more, both the record and empty are zero.
func (a *Admin) Last(ctx context.Context, topic string, partition int) (last *Record, empty bool, err error) {
	found, err := a.cluster.offsets(ctx, topic, []int{partition})
	if err != nil {
		return nil, false, err
	}
	has := found[partition]
	if has.end == 0 || has.start == has.end {
		return nil, has.end == 0, nil
	}
	f := &follower{
		cluster: a.cluster, topic: topic, partition: partition, next: has.end - 1, maxBytes: defaultBatchBytes,
	}
	defer f.disconnect()
	records, _, err := f.fetch(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("read the last record of %s/%d: %w", topic, partition, err)
	}
	if len(records) == 0 { // compacted away, or a control record
		return nil, false, nil
	}
	return &records[len(records)-1], false, nil
}
