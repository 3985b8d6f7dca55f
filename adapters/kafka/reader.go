package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

const (
	defaultBatchRecords = 1000
	defaultBatchBytes   = 4 << 20
	batchBytesLimit     = 64 << 20
)

// ReaderConfig bounds the batches of a PartitionReader. Zero means the default.
type ReaderConfig struct {
	// MaxRecords per call of the handler. Default 1000.
	MaxRecords int
	// MaxBytes per fetch; a single larger record still comes, alone. Default 4 MiB, at most 64 MiB.
	MaxBytes int
}

// Validate reports every invalid field at once.
func (c ReaderConfig) Validate() error {
	var errs []error
	if c.MaxRecords < 0 {
		errs = append(errs, fmt.Errorf("max records %d is negative", c.MaxRecords))
	}
	if c.MaxBytes < 0 || c.MaxBytes > batchBytesLimit {
		errs = append(errs, fmt.Errorf("max bytes %d is outside 0..%d", c.MaxBytes, batchBytesLimit))
	}
	return errors.Join(errs...)
}

// PartitionReader reads whole topics in batches, for consumers that keep their own offsets.
type PartitionReader struct {
	cluster    *Cluster
	maxRecords int
	maxBytes   int
}

// NewPartitionReader makes a reader on a shared cluster.
func NewPartitionReader(cluster *Cluster, cfg ReaderConfig) (*PartitionReader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka reader config: %w", err)
	}
	if cfg.MaxRecords == 0 {
		cfg.MaxRecords = defaultBatchRecords
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = defaultBatchBytes
	}
	return &PartitionReader{cluster: cluster, maxRecords: cfg.MaxRecords, maxBytes: cfg.MaxBytes}, nil
}

// ReadPartitions reads every partition of the topic from start(partition), an absolute offset, FirstOffset or
// LastOffset, and follows it until the context ends; then it returns nil. handle gets the records of one partition in
// order, one call at a time per partition and in parallel between partitions. The first error of handle ends all
// partitions and is returned; an offset that is no longer in the log ends them with an *OffsetLostError.
func (r *PartitionReader) ReadPartitions(
	ctx context.Context,
	topic string,
	start func(partition int) int64,
	handle func(ctx context.Context, partition int, records []Record) error,
) error {
	found, err := r.cluster.allOffsets(ctx, topic)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read %s: %w", topic, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	for partition, has := range found {
		f := &follower{
			cluster: r.cluster, topic: topic, partition: partition,
			next: has.resolve(start(partition)), maxBytes: r.maxBytes,
			onLost: func(loss OffsetLoss) (int64, error) { return 0, &OffsetLostError{loss} },
			handle: func(ctx context.Context, records []Record, _ int64) error {
				for batch := range slices.Chunk(records, r.maxRecords) {
					if err := handle(ctx, partition, batch); err != nil {
						return fmt.Errorf("handle %d records of %s/%d from offset %d: %w",
							len(batch), topic, partition, batch[0].Offset, err)
					}
				}
				return nil
			},
		}
		group.Go(func() error { return f.run(ctx) })
	}
	return group.Wait()
}
