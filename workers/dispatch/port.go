package dispatch

import (
	"context"

	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// Ledger is the part of eventstore.Store that the dispatcher follows.
type Ledger interface {
	Shards() int
	ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error)
	Heads(ctx context.Context) ([]eventstore.Head, error)
}

// Feed delivers new events soon. It is an accelerator: what it loses is found in the ledger.
type Feed interface {
	// Follow calls handle with envelopes of one shard per call, in the order of the shard, duplicates and gaps
	// allowed, until ctx ends. An error of handle means that ctx has ended.
	Follow(ctx context.Context, handle func(ctx context.Context, batch []eventstore.Envelope) error) error
}

// Jobs is a view of the jobs that have not ended.
type Jobs interface {
	// OpenJobs returns every job that has not ended at the positions, indexed by shard. Jobs may also be shown as they
	// were after the positions: what follows is applied again and leads to the same end.
	OpenJobs(ctx context.Context) (jobs []Job, positions []int64, err error)
}

// Job is a job that has not ended.
type Job struct {
	Offer   generation.Offer
	Running bool // a worker has it, so it is not offered
}
