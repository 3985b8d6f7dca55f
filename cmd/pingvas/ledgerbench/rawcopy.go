package ledgerbench

import (
	"context"
	"fmt"

	"github.com/pingvas/pingvas/eventstore"
)

const (
	createCopySQL = `
DROP SCHEMA IF EXISTS rawcopy CASCADE;
CREATE SCHEMA rawcopy;
CREATE TABLE rawcopy.events (LIKE ledger.events INCLUDING ALL);
CREATE TABLE rawcopy.outcomes (LIKE ledger.outcomes INCLUDING ALL);`

	insertCopySQL = `WITH events AS (
	INSERT INTO rawcopy.events
		(shard, pos, stream, version, type, data, metadata, recorded_at, leaf_hash, chain_hash)
	SELECT $1, $12 + n, stream, version, type, data::json, metadata::json, now(), leaf, leaf
	FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[])
		WITH ORDINALITY AS e (stream, version, type, data, metadata, leaf, n))
INSERT INTO rawcopy.outcomes (account, key, request_hash, body, shard, pos, recorded_at)
SELECT account, key, hash, body::json, $1, 1, now()
FROM unnest($8::text[], $9::text[], $10::bytea[], $11::text[]) AS o (account, key, hash, body)`
)

func (r *Raw) createCopy(ctx context.Context) error {
	if _, err := r.Pool.Exec(ctx, createCopySQL); err != nil {
		return fmt.Errorf("create the tables of the plain insert: %w", err)
	}
	return nil
}

// copied are the rows of a batch turned on their side.
type copied struct {
	streams, types, data, metadata []string
	versions                       []int64
	leaves, hashes                 [][]byte
	accounts, keys, bodies         []string
}

func (c *copied) add(shard int, u eventstore.Unit) {
	for _, e := range u.Events {
		leaf := eventstore.LeafHash(shard, e)
		c.streams, c.versions = append(c.streams, e.Stream), append(c.versions, e.Version)
		c.types, c.leaves = append(c.types, e.Type), append(c.leaves, leaf[:])
		c.data, c.metadata = append(c.data, string(e.Data)), append(c.metadata, string(e.Metadata))
	}
	for _, o := range u.Outcomes {
		c.accounts, c.keys = append(c.accounts, string(u.Account)), append(c.keys, o.Key)
		c.hashes, c.bodies = append(c.hashes, o.RequestHash[:]), append(c.bodies, string(o.Body))
	}
}

func (r *Raw) insert(ctx context.Context, shard int, units []eventstore.Unit) error {
	var c copied
	for _, u := range units {
		c.add(shard, u)
	}
	before := r.copied.Add(int64(len(c.streams))) - int64(len(c.streams))
	_, err := r.Pool.Exec(ctx, insertCopySQL, shard, c.streams, c.versions, c.types, c.data, c.metadata, c.leaves,
		c.accounts, c.keys, c.hashes, c.bodies, before)
	if err != nil {
		return fmt.Errorf("insert %d units: %w", len(units), err)
	}
	return nil
}
