package queries

import (
	"context"

	"github.com/pingvas/pingvas/eventstore"
)

// Ledger tells how far the record goes.
type Ledger interface {
	Shards() int
	Heads(ctx context.Context) ([]eventstore.Head, error)
}
