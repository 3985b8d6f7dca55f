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
}

// Equal reports whether the view is what the ledger says.
func (v Verification) Equal() bool { return v.Live == v.Replayed }

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
	at, live, err := r.liveDigest(ctx, shard)
	if err != nil {
		return Verification{}, err
	}
	parked, err := r.parked(ctx, shard)
	if err != nil {
		return Verification{}, err
	}
	for pos := int64(0); pos < at.Pos; {
		limit := min(PageDefault, at.Pos-pos)
		batch, err := r.Ledger.ReadShard(ctx, shard, pos, int(limit))
		if err != nil {
			return Verification{}, err
		}
		if len(batch) == 0 {
			return Verification{}, fmt.Errorf("the view knows %s, the ledger ends at %d", at, pos)
		}
		if err := r.page(ctx, batch, parked); err != nil {
			return Verification{}, err
		}
		pos = batch[len(batch)-1].Pos
		if r.Progress != nil {
			r.Progress(eventstore.Position{Shard: shard, Pos: pos}, at.Pos)
		}
	}
	result := Verification{Position: at, Live: live}
	err = pgx.BeginFunc(ctx, r.Pool, func(tx pgx.Tx) error {
		result.Replayed, err = digest(ctx, tx, r.target, shard)
		return err
	})
	return result, err
}

// liveDigest returns the checkpoint of the view and the digest of its rows at exactly that position.
func (r replay) liveDigest(ctx context.Context, shard int) (eventstore.Position, eventstore.Hash, error) {
	return DigestOf(ctx, r.Pool, r.live, shard)
}

const sqlParked = `SELECT pos FROM projections.dead_letters WHERE projection = $1 AND version = $2 AND build = $3
	AND shard = $4`

// parked returns the positions that the view has left out.
func (r replay) parked(ctx context.Context, shard int) (map[int64]bool, error) {
	// Query reports its error through the rows.
	rows, _ := r.Pool.Query(ctx, sqlParked, r.live.Projection, r.live.Version, r.live.Build, shard)
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
