package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// event is one row of the ledger, as any auditor with SQL sees it: nothing of the product reads it here.
type event struct {
	shard, pos   int64
	stream, kind string
	account      string
	Generation   string
	Grant        string
	Reservation  string
	Amount       int64
	Reserved     int64
	Charged      []slice
	Late         bool
	Images       []picture
	Keys         []string // of the files of a deleted image
}

type picture struct{ Key, SHA256 string }

type slice struct {
	Grant  string
	Amount int64
}

func sum(slices []slice) (total int64) {
	for _, s := range slices {
		total += s.Amount
	}
	return total
}

// job is what the ledger says of a generation.
type job struct {
	account                string
	quoted                 int64
	requests, reservations int
	reserved               int64
	ends                   []string // types of the events that end it
	images                 int64
	settlements            int
	charged                int64
}

// books are the ledger as the oracle adds it up.
type books struct {
	events map[string]event            // by position
	heads  map[int64]int64             // by shard
	grants map[string]map[string]int64 // account -> grant -> amount
	jobs   map[string]*job             // by generation
	// ends counts the ends of each reservation.
	ends map[string]int
}

const sqlEvents = `SELECT shard, pos, stream, type, data::text, coalesce(metadata->>'account', substr(stream, 9))
FROM ledger.events ORDER BY shard, pos`

func readBooks(ctx context.Context, pool *pgxpool.Pool) (*books, error) {
	b := &books{
		events: map[string]event{}, heads: map[int64]int64{}, grants: map[string]map[string]int64{},
		jobs: map[string]*job{}, ends: map[string]int{},
	}
	rows, _ := pool.Query(ctx, sqlEvents) // its error comes through the rows
	var e event
	var data string
	_, err := pgx.ForEachRow(rows, []any{&e.shard, &e.pos, &e.stream, &e.kind, &data, &e.account}, func() error {
		one := e
		if err := json.Unmarshal([]byte(data), &one); err != nil {
			return fmt.Errorf("decode %s at %d:%d: %w", one.kind, one.shard, one.pos, err)
		}
		if one.pos != b.heads[one.shard]+1 {
			return fmt.Errorf("shard %d goes from %d to %d", one.shard, b.heads[one.shard], one.pos)
		}
		b.heads[one.shard] = one.pos
		b.events[fmt.Sprintf("%d:%d", one.shard, one.pos)] = one
		b.add(one)
		return nil
	})
	return b, err
}

func (b *books) job(id string) *job {
	if b.jobs[id] == nil {
		b.jobs[id] = &job{}
	}
	return b.jobs[id]
}

func (b *books) add(e event) {
	switch strings.TrimSuffix(e.kind, ".v1") {
	case "account.opened":
		b.grants[e.account] = map[string]int64{}
	case "account.credits_granted":
		b.grants[e.account][e.Grant] = e.Amount
	case "generation.requested":
		j := b.job(e.Generation)
		j.requests++
		j.account, j.quoted = e.account, e.Reserved
	case "generation.completed", "generation.failed", "generation.cancelled", "generation.expired":
		j := b.job(e.Generation)
		j.ends, j.images = append(j.ends, e.kind), int64(len(e.Images))
	case "account.credits_reserved":
		j := b.job(e.Generation)
		j.reservations++
		j.reserved += e.Amount
		b.ends[e.Reservation] += 0
	case "account.credits_settled":
		j := b.job(e.Generation)
		j.settlements++
		j.charged += sum(e.Charged)
		if !e.Late { // the reservation of a late settlement has expired before
			b.ends[e.Reservation]++
		}
	case "account.credits_released", "account.reservation_expired":
		b.ends[e.Reservation]++
	}
}

// sqlOpen counts the jobs that have not ended.
const sqlOpen = `SELECT count(*) FILTER (WHERE type = 'generation.requested.v1')
	- count(*) FILTER (WHERE type IN ('generation.completed.v1', 'generation.failed.v1', 'generation.cancelled.v1',
		'generation.expired.v1')) FROM ledger.events`

// sqlBehind lists what has not come to the end of the ledger.
const sqlBehind = `WITH behind AS (
	SELECT c.projection || ' ' || c.shard || ':' || c.pos || ' of ' || s.pos
		|| coalesce(' (' || c.failure || ')', '') AS what
		FROM projections.checkpoints c JOIN ledger.shards s USING (shard) WHERE c.pos < s.pos
	UNION ALL
	SELECT 'outbox ' || s.shard || ':' || coalesce(o.pos, 0) || ' of ' || s.pos
		FROM ledger.shards s LEFT JOIN outbox.checkpoints o USING (shard) WHERE coalesce(o.pos, 0) < s.pos
	UNION ALL
	SELECT 'dead letter of ' || projection || ' at ' || shard || ':' || pos || ': ' || failure
		FROM projections.dead_letters
) SELECT coalesce(string_agg(what, ', '), '') FROM behind`
