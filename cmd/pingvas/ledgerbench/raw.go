package ledgerbench

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/pingvas/pingvas/eventstore"
)

// Raw measures how fast the rows of commands can be recorded at all: nothing is decided, and what is appended was
// encoded before the clock started.
type Raw struct {
	Store eventstore.Store
	Codec *eventstore.Codec
	Pool  *pgxpool.Pool
	// Batch is how many commands are appended at once.
	Batch int
	// First is the number of its first account.
	First int

	// authors, by shard, of what each way has recorded.
	authors map[string][][]*Author
	copied  atomic.Int64 // rows of the plain insert so far
}

// RawResult is how many commands a second were recorded in each round.
type RawResult struct {
	Way      string    `json:"way"`
	Spread   Spread    `json:"spread"`
	Batch    int       `json:"batch"`
	Commands []float64 `json:"commands_per_second"`
}

// The ways to record.
const (
	// RawAppend is eventstore.Store.Append, with its checks, positions and hash chain, by one caller for each shard.
	RawAppend = "append"
	// RawCopy is a plain INSERT … SELECT unnest of the same rows into tables of the same form, without checks.
	RawCopy = "insert"
)

// Prepare opens the accounts, all of them or for Hot just one.
func (r *Raw) Prepare(ctx context.Context, accounts int, spread Spread) error {
	if spread == Hot {
		accounts = 1
	}
	if err := r.createCopy(ctx); err != nil {
		return err
	}
	r.authors = map[string][][]*Author{}
	for _, way := range []string{RawAppend, RawCopy} {
		r.authors[way] = byShard(r.Codec, r.First, accounts, r.Store.Shards())
		if err := r.open(ctx, way); err != nil {
			return err
		}
	}
	return nil
}

func (r *Raw) open(ctx context.Context, way string) error {
	for shard, authors := range r.authors[way] {
		for _, a := range authors {
			u, err := a.Open(ctx)
			if err != nil {
				return err
			}
			if _, err := r.record(ctx, way, shard, nil, []eventstore.Unit{u}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Round records about so many commands and returns how many a second it were.
func (r *Raw) Round(ctx context.Context, way string, commands int) (float64, error) {
	batches, encoded, err := r.encode(ctx, r.authors[way], commands)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for shard := range batches {
		group.Go(func() error {
			var head *eventstore.Head
			var err error
			for _, units := range batches[shard] {
				if head, err = r.record(ctx, way, shard, head, units); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(encoded) / time.Since(start).Seconds(), nil
}

// record appends to a shard whose head is known, or nil, and returns the head behind that.
func (r *Raw) record(
	ctx context.Context, way string, shard int, known *eventstore.Head, units []eventstore.Unit,
) (*eventstore.Head, error) {
	if way == RawCopy {
		return nil, r.insert(ctx, shard, units)
	}
	return appendOn(ctx, r.Store, shard, known, units)
}

// encode returns batches for each shard that has accounts, and how many commands they hold.
func (r *Raw) encode(
	ctx context.Context, byShard [][]*Author, commands int,
) ([][][]eventstore.Unit, int, error) {
	busy := 0
	for _, authors := range byShard {
		busy += min(len(authors), 1)
	}
	perShard := max(1, commands/busy/r.Batch)
	out, encoded := make([][][]eventstore.Unit, len(byShard)), 0
	for shard, authors := range byShard {
		if len(authors) == 0 {
			continue
		}
		for range perShard {
			units, err := r.batch(ctx, authors)
			if err != nil {
				return nil, 0, err
			}
			out[shard] = append(out[shard], units)
			encoded += r.Batch
		}
	}
	return out, encoded, nil
}

// batch spreads the commands of one append over the accounts of the shard.
func (r *Raw) batch(ctx context.Context, authors []*Author) ([]eventstore.Unit, error) {
	authors = shuffled(authors)
	each, more := r.Batch/len(authors), r.Batch%len(authors)
	var units []eventstore.Unit
	for i, a := range authors {
		n := each
		if i < more {
			n++
		}
		if n == 0 {
			break
		}
		var u eventstore.Unit
		if err := a.Commands(ctx, &u, n); err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, nil
}

// Print writes one line.
func (r RawResult) Print(out io.Writer) {
	fmt.Fprintf(out, "%-8s batches of %d  %-8s %9.0f commands/s\n", r.Spread, r.Batch, r.Way, Median(r.Commands))
}
