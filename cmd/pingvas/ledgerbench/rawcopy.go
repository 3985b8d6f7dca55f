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
CREATE TABLE rawcopy.events (LIKE ledger.events INCLUDING ALL);`

	insertCopySQL = `INSERT INTO rawcopy.events (shard, pos, stream, version, type, data, metadata, recorded_at, leaf_hash,
	chain_hash, stream_id, key_id, key, request_hash, outcome)
SELECT $1, $11 + n, stream, version, type, data::json, metadata::json, now(), leaf, leaf,
	encode(substr(leaf, 1, 16), 'hex')::uuid,
	CASE WHEN key IS NOT NULL THEN encode(substr(leaf, 17, 16), 'hex')::uuid END, key, hash, body::json
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[], $9::bytea[],
	$10::text[]) WITH ORDINALITY AS e (stream, version, type, data, metadata, leaf, key, hash, body, n)`
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
	keys, bodies                   []*string // nil for an event that ends no command
}

func (c *copied) add(shard int, u eventstore.Unit) {
	for _, e := range u.Events {
		leaf := eventstore.LeafHash(shard, e)
		c.streams, c.versions = append(c.streams, e.Stream), append(c.versions, e.Version)
		c.types, c.leaves = append(c.types, e.Type), append(c.leaves, leaf[:])
		c.data, c.metadata = append(c.data, string(e.Data)), append(c.metadata, string(e.Metadata))
	}
	first := len(c.keys)
	c.keys = append(c.keys, make([]*string, len(u.Events))...)
	c.bodies = append(c.bodies, make([]*string, len(u.Events))...)
	c.hashes = append(c.hashes, make([][]byte, len(u.Events))...)
	for _, o := range u.Outcomes {
		i, body := first+o.Events-1, string(o.Body)
		c.keys[i], c.hashes[i], c.bodies[i] = &o.Key, o.RequestHash[:], &body
	}
}

func (r *Raw) insert(ctx context.Context, shard int, units []eventstore.Unit) error {
	var c copied
	for _, u := range units {
		c.add(shard, u)
	}
	before := r.copied.Add(int64(len(c.streams))) - int64(len(c.streams))
	_, err := r.Pool.Exec(ctx, insertCopySQL, shard, c.streams, c.versions, c.types, c.data, c.metadata, c.leaves,
		c.keys, c.hashes, c.bodies, before)
	if err != nil {
		return fmt.Errorf("insert %d units: %w", len(units), err)
	}
	return nil
}
