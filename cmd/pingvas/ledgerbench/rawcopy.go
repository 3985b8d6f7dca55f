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

	insertCopySQL = `INSERT INTO rawcopy.events (pos, version, recorded_at, shard, span, stream_id, key_id, request_hash,
	chain_hash, stream, type, data, metadata, outcome)
SELECT $11 + n, version, now(), $1, span, encode(substr(leaf, 1, 16), 'hex')::uuid,
	CASE WHEN span IS NOT NULL THEN encode(substr(leaf, 17, 16), 'hex')::uuid END, hash, leaf, stream, type, data,
	metadata, body
FROM unnest($2::text[], $3::bigint[], $4::text[], $5::json[], $6::json[], $7::bytea[], $8::smallint[], $9::uuid[],
	$10::json[]) WITH ORDINALITY AS e (stream, version, type, data, metadata, leaf, span, hash, body, n)`
)

func (r *Raw) createCopy(ctx context.Context) error {
	if _, err := r.Pool.Exec(ctx, createCopySQL); err != nil {
		return fmt.Errorf("create the tables of the plain insert: %w", err)
	}
	return nil
}

// copied are the rows of a batch turned on their side.
type copied struct {
	streams, types                 []string
	versions                       []int64
	data, metadata, leaves, bodies [][]byte
	spans                          []*int16 // nil for an event that ends no command
	hashes                         []*[16]byte
}

func (c *copied) add(shard int, u eventstore.Unit) {
	for _, e := range u.Events {
		leaf := eventstore.LeafHash(shard, e)
		c.streams, c.versions = append(c.streams, e.Stream), append(c.versions, e.Version)
		c.types, c.leaves = append(c.types, e.Type), append(c.leaves, leaf[:])
		c.data, c.metadata = append(c.data, e.Data), append(c.metadata, e.Metadata)
	}
	first := len(c.spans)
	c.spans = append(c.spans, make([]*int16, len(u.Events))...)
	c.bodies = append(c.bodies, make([][]byte, len(u.Events))...)
	c.hashes = append(c.hashes, make([]*[16]byte, len(u.Events))...)
	for _, o := range u.Outcomes {
		i, span, hash := first+o.Events-1, int16(o.Span), [16]byte(o.RequestHash)
		c.spans[i], c.hashes[i], c.bodies[i] = &span, &hash, o.Body
	}
}

func (r *Raw) insert(ctx context.Context, shard int, units []eventstore.Unit) error {
	var c copied
	for _, u := range units {
		c.add(shard, u)
	}
	before := r.copied.Add(int64(len(c.streams))) - int64(len(c.streams))
	_, err := r.Pool.Exec(ctx, insertCopySQL, shard, c.streams, c.versions, c.types, c.data, c.metadata, c.leaves,
		c.spans, c.hashes, c.bodies, before)
	if err != nil {
		return fmt.Errorf("insert %d units: %w", len(units), err)
	}
	return nil
}
