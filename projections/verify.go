package projections

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
)

// verifySuffix is that of the schema into which a view is replayed.
const verifySuffix = "_verify"

// Verification compares one shard of a view with its replay.
type Verification struct {
	// Position is how far the view knows the shard.
	Position eventstore.Position
	// Live is the digest of the view's rows, Replayed that of a replay up to the same position.
	Live, Replayed eventstore.Hash
	// Published is the newest digest that was published, if any, and ReplayedThen that of a replay up to its position.
	Published    *Published
	ReplayedThen eventstore.Hash
}

// Equal reports whether the view is, and was when it said so, what the ledger says.
func (v Verification) Equal() bool {
	return v.Live == v.Replayed && (v.Published == nil || v.Published.Digest == v.ReplayedThen)
}

// Verifier replays the ledger into a second copy of a view and compares. The view may be live meanwhile.
type Verifier struct {
	Ledger     Ledger
	Decoder    Decoder
	Pool       *pgxpool.Pool
	Projection Projection
	// Progress is told how far the replay of a shard has come, or nil.
	Progress func(at eventstore.Position, of int64)
}

// ErrVerifying says that another verification of the view is running.
var ErrVerifying = errors.New("another verification of this view is running")

// Verify compares every shard, in order. It returns ErrVerifying, or an *EventError for an event that the view
// applied and the replay could not.
func (v *Verifier) Verify(ctx context.Context) ([]Verification, error) {
	p := v.Projection
	if s, ok := p.(Sink); ok {
		p = s.Rows()
	}
	known, err := current(ctx, v.Pool, p)
	if err != nil {
		return nil, err
	}
	if known == nil {
		return nil, fmt.Errorf("the view %s was never built", p.Name())
	}
	copied := targetOf(p, known.Schema()+verifySuffix)
	unlock, err := tryLock(ctx, v.Pool, copied.schema)
	if err != nil {
		return nil, err
	}
	if unlock == nil {
		return nil, ErrVerifying
	}
	defer unlock()
	err = locked(ctx, v.Pool, func(tx pgx.Tx) error {
		return errors.Join(copied.drop(ctx, tx), copied.create(ctx, tx))
	})
	if err != nil {
		return nil, err
	}
	replay := replay{Verifier: v, rows: p, live: known.Copy, target: copied}
	var results []Verification
	for shard := range v.Ledger.Shards() {
		result, err := replay.shard(ctx, shard)
		if err != nil {
			return nil, fmt.Errorf("verify shard %d of %s: %w", shard, known.Schema(), err)
		}
		results = append(results, result)
	}
	return results, locked(ctx, v.Pool, func(tx pgx.Tx) error { return copied.drop(ctx, tx) })
}

// replay fills the second copy.
type replay struct {
	*Verifier
	rows   Projection
	live   Copy
	target target
}

func (r replay) shard(ctx context.Context, shard int) (Verification, error) {
	at, live, err := DigestOf(ctx, r.Pool, r.live, shard)
	if err != nil {
		return Verification{}, err
	}
	result := Verification{Position: at, Live: live}
	parked, err := parked(ctx, r.Pool, r.live, shard)
	if err != nil {
		return result, err
	}
	if result.Published, err = published(ctx, r.Pool, r.live, shard); err != nil {
		return result, err
	}
	from := int64(0)
	if p := result.Published; p != nil && p.Position.Pos > at.Pos {
		result.Published = nil // of another build, which knew more
	} else if p != nil {
		if result.ReplayedThen, err = r.upTo(ctx, from, p.Position, at.Pos, parked); err != nil {
			return result, err
		}
		from = p.Position.Pos
	}
	result.Replayed, err = r.upTo(ctx, from, at, at.Pos, parked)
	return result, err
}

// upTo replays from a position to another and returns the digest there.
func (r replay) upTo(
	ctx context.Context, from int64, to eventstore.Position, end int64, parked map[int64]bool,
) (sum eventstore.Hash, err error) {
	for pos := from; pos < to.Pos; {
		batch, err := r.Ledger.ReadShard(ctx, to.Shard, pos, int(min(PageDefault, to.Pos-pos)))
		if err != nil {
			return sum, err
		}
		if len(batch) == 0 {
			return sum, fmt.Errorf("the view knows %s, the ledger ends at %d", to, pos)
		}
		if err := r.page(ctx, batch, parked); err != nil {
			return sum, err
		}
		pos = batch[len(batch)-1].Pos
		if r.Progress != nil {
			r.Progress(eventstore.Position{Shard: to.Shard, Pos: pos}, end)
		}
	}
	err = pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		sum, err = digest(ctx, tx, r.target, to.Shard)
		return err
	})
	return sum, err
}

const sqlParked = `SELECT pos FROM projections.dead_letters WHERE projection = $1 AND version = $2 AND build = $3
	AND shard = $4`

// parked returns the positions that the view has left out.
func parked(ctx context.Context, pool *pgxpool.Pool, c Copy, shard int) (map[int64]bool, error) {
	// Query reports its error through the rows.
	rows, _ := pool.Query(ctx, sqlParked, c.Projection, c.Version, c.Build, shard)
	positions, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	parked := make(map[int64]bool, len(positions))
	for _, pos := range positions {
		parked[pos] = true
	}
	return parked, nil
}

func (r replay) page(ctx context.Context, batch []eventstore.Envelope, parked map[int64]bool) error {
	var kept []eventstore.Envelope
	for _, e := range batch {
		if !parked[e.Pos] {
			kept = append(kept, e)
		}
	}
	err := r.apply(ctx, kept)
	if err == nil || transient(err) {
		return err
	}
	for i, e := range kept {
		if err := r.apply(ctx, kept[i:i+1]); err != nil {
			return &EventError{Position: e.Position(), Type: e.Type, Err: err}
		}
	}
	return nil
}

func (r replay) apply(ctx context.Context, batch []eventstore.Envelope) error {
	events, err := decode(ctx, r.Decoder, r.rows, batch)
	if err != nil || len(events) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		if err := r.target.enter(ctx, tx, HoldMaxDefault); err != nil {
			return err
		}
		return r.rows.Apply(ctx, tx, events)
	})
}
