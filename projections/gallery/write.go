package gallery

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/projections"
)

const (
	sqlRequests = `INSERT INTO requests
		(shard, generation, account, spec, tags, folded_tags, engine, engine_version, images, settled)
		SELECT $1, generation, account, spec, tags::text[], folded::text[], engine, version, images, settled
		FROM unnest($2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[],
			$10::bigint[])
			AS n (generation, account, spec, tags, folded, engine, version, images, settled)`
	sqlComplete = `UPDATE requests r SET engine = n.engine, engine_version = n.version, images = n.images
		FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[]) AS n (generation, engine, version, images)
		WHERE r.generation = n.generation`
	// The request of a generation that ended without pictures is gone.
	sqlSettle = `UPDATE requests r SET settled = coalesce(r.settled, 0) + n.settled
		FROM unnest($1::text[], $2::bigint[]) AS n (generation, settled) WHERE r.generation = n.generation`
	sqlImages = `INSERT INTO images (shard, image, account, generation, n, model, key, thumbnail_key, content_type,
		bytes, sha256, width, height, seed, tags, folded_tags, created_at)
		SELECT r.shard, i.image, r.account, r.generation, i.n, r.spec ->> 'model', i.key, i.thumbnail, i.type, i.bytes,
			i.sha256, i.width, i.height, i.seed, r.tags, r.folded_tags, i.at
		FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[],
			$9::integer[], $10::integer[], $11::bigint[], $12::timestamptz[])
			AS i (image, generation, n, key, thumbnail, type, bytes, sha256, width, height, seed, at)
		JOIN requests r ON r.generation = i.generation`
	sqlMark = `UPDATE images i SET version = n.version, favourite = coalesce(n.favourite, i.favourite),
			tags = coalesce(n.tags::text[], i.tags), folded_tags = coalesce(n.folded::text[], i.folded_tags),
			rating = coalesce(n.rating, i.rating), boards = coalesce(n.boards::text[], i.boards)
		FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::smallint[], $7::text[])
			AS n (image, version, favourite, tags, folded, rating, boards) WHERE i.image = n.image`
	// The filings of images follow their column.
	sqlUnfile = `WITH gone AS (DELETE FROM filings f USING images i
			WHERE i.image = ANY($1) AND f.image = i.image AND f.board <> ALL(i.boards) RETURNING f.board)
		UPDATE boards b SET images = b.images - g.n FROM (SELECT board, count(*) AS n FROM gone GROUP BY board) g
		WHERE b.board = g.board`
	sqlFile = `WITH new AS (INSERT INTO filings (shard, board, image, account, created_at)
			SELECT i.shard, b, i.image, i.account, i.created_at FROM images i, unnest(i.boards) AS b WHERE i.image = ANY($1)
			ON CONFLICT DO NOTHING RETURNING board)
		UPDATE boards b SET images = b.images + g.n FROM (SELECT board, count(*) AS n FROM new GROUP BY board) g
		WHERE b.board = g.board`
	sqlTakeOff = `WITH gone AS (DELETE FROM filings WHERE image = ANY($1) RETURNING board)
		UPDATE boards b SET images = b.images - g.n FROM (SELECT board, count(*) AS n FROM gone GROUP BY board) g
		WHERE b.board = g.board`
	sqlDelete = `DELETE FROM images WHERE image = ANY($1)`
	sqlForget = `DELETE FROM requests WHERE generation = ANY($1)`
)

// write changes the rows in one round trip. The statements follow the life of a generation, and each thing goes through
// it in that order only. A row that should be there and is not means that the view has missed an event.
func (f *fold) write(ctx context.Context, tx pgx.Tx) error {
	var w projections.Writes
	f.shelf.begin(f.shard, &w)
	f.writeRequests(&w)
	f.writeCompletions(&w)
	var of []string
	var settled []int64
	for id, credits := range f.settled {
		of, settled = append(of, string(id)), append(settled, int64(credits))
	}
	if len(of) > 0 {
		w.Add(sqlSettle, of, settled)
	}
	f.writeImages(&w)
	f.writeMarks(&w)
	if len(f.deleted) > 0 {
		w.Add(sqlTakeOff, f.deleted)
	}
	w.AddRows(len(f.deleted), sqlDelete, f.deleted)
	w.AddRows(len(f.forgot), sqlForget, f.forgot)
	f.shelf.end(f.shard, &w)
	return w.Run(ctx, tx)
}

// writeRequests takes along what else the batch says of the new requests.
func (f *fold) writeRequests(w *projections.Writes) {
	n := len(f.order)
	ids, accounts, specs := make([]string, n), make([]string, n), make([][]byte, n)
	tags, folded := make([]string, n), make([]string, n)
	engines, versions, images, settled := make([]string, n), make([]string, n), make([]int, n), make([]*int64, n)
	for i, r := range f.order {
		ids[i], accounts[i], specs[i] = string(r.id), string(r.account), r.spec
		tags[i], folded[i] = projections.TextArray(r.tags), projections.TextArray(Fold(r.tags))
		if done := f.done[r.id]; done != nil {
			engines[i], versions[i], images[i] = done.engine, done.version, done.images
			delete(f.done, r.id)
		}
		if credits, ok := f.settled[r.id]; ok {
			charged := int64(credits)
			settled[i] = &charged
			delete(f.settled, r.id)
		}
	}
	w.AddRows(n, sqlRequests, f.shard, ids, accounts, specs, tags, folded, engines, versions, images, settled)
}

func (f *fold) writeCompletions(w *projections.Writes) {
	var ids, engines, versions []string
	var images []int
	for id, done := range f.done {
		ids, engines, versions = append(ids, string(id)), append(engines, done.engine), append(versions, done.version)
		images = append(images, done.images)
	}
	w.AddRows(len(ids), sqlComplete, ids, engines, versions, images)
}

func (f *fold) writeImages(w *projections.Writes) {
	n := len(f.images)
	ids, of, numbers := make([]string, n), make([]string, n), make([]int, n)
	keys, thumbnails, types, sums := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	bytes, widths, heights := make([]int64, n), make([]int, n), make([]int, n)
	seeds, at := make([]int64, n), make([]time.Time, n)
	for i, p := range f.images {
		ids[i], of[i], numbers[i] = string(p.Image.Image), string(p.of), p.n
		keys[i], thumbnails[i], types[i], sums[i] = p.Key, p.ThumbnailKey, p.ContentType, p.SHA256
		bytes[i], widths[i], heights[i], seeds[i], at[i] = p.Bytes, p.Width, p.Height, int64(p.Seed), p.at
	}
	w.AddRows(n, sqlImages, ids, of, numbers, keys, thumbnails, types, bytes, sums, widths, heights, seeds, at)
}

func (f *fold) writeMarks(w *projections.Writes) {
	var ids []string
	var versions []int64
	var favourites []*bool
	var tags, folded, boards []*string
	var ratings []*int
	var filed []string
	for id, m := range f.marks {
		ids, versions, favourites = append(ids, string(id)), append(versions, m.version), append(favourites, m.favourite)
		var plain, lower *string
		if m.tags != nil {
			a, b := projections.TextArray(*m.tags), projections.TextArray(Fold(*m.tags))
			plain, lower = &a, &b
		}
		tags, folded = append(tags, plain), append(folded, lower)
		var on *string
		if m.boards != nil {
			list := projections.TextArray(*m.boards)
			on, filed = &list, append(filed, string(id))
		}
		ratings, boards = append(ratings, m.rating), append(boards, on)
	}
	w.AddRows(len(ids), sqlMark, ids, versions, favourites, tags, folded, ratings, boards)
	if len(filed) > 0 {
		w.Add(sqlUnfile, filed)
		w.Add(sqlFile, filed)
	}
}
