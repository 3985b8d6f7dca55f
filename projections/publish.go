package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
)

// Published is what the rows of a view in one shard were at a position.
type Published struct {
	Position eventstore.Position
	Digest   eventstore.Hash
	At       time.Time
}

const (
	sqlPublish = `INSERT INTO projections.digests AS d (projection, version, shard, pos, digest)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (projection, version, shard) DO UPDATE
		SET pos = excluded.pos, digest = excluded.digest, published_at = now()`
	sqlPublished = `SELECT pos, digest, published_at FROM projections.digests
		WHERE projection = $1 AND version = $2 AND shard = $3`
)

// Publish writes down the digest of every shard of the live copy, for anybody to compare with a replay up to its
// position: Verifier does, and so can whoever has a copy of the ledger.
func Publish(ctx context.Context, pool *pgxpool.Pool, p Projection, shards int) ([]Published, error) {
	live, err := LiveCopy(ctx, pool, p)
	if err != nil {
		return nil, err
	}
	list := make([]Published, shards)
	for shard := range list {
		at, sum, err := DigestOf(ctx, pool, live, shard)
		if err != nil {
			return nil, err
		}
		err = asProjector(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sqlPublish, live.Projection, live.Version, shard, at.Pos, sum[:])
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("publish the digest of %s at %s: %w", live.Schema(), at, err)
		}
		list[shard] = Published{Position: at, Digest: sum, At: time.Now()}
	}
	return list, nil
}

// published returns the newest published digest of a shard, or nil.
func published(ctx context.Context, pool *pgxpool.Pool, c Copy, shard int) (*Published, error) {
	var p Published
	var sum []byte
	p.Position.Shard = shard
	err := pool.QueryRow(ctx, sqlPublished, c.Projection, c.Version, shard).Scan(&p.Position.Pos, &sum, &p.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the published digest of %s: %w", c.Schema(), err)
	}
	p.Digest = eventstore.Hash(sum)
	return &p, nil
}
