package balance

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections"
)

const (
	sqlOpen = `INSERT INTO accounts
		(shard, account, version, name, plan, tier, slots, credit_line, opened_at)
		VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8)`
	sqlChangeTier = `UPDATE accounts SET plan = $2, tier = $3, slots = $4, credit_line = $5 WHERE account = $1`
	sqlCreditLine = `INSERT INTO credit_lines (shard, account, pos, at, credit_line) VALUES ($1, $2, $3, $4, $5)`
	sqlGrant      = `INSERT INTO grants (shard, account, grant_id, pos, at, source, priority, amount, repaid_line,
		effective_at, expires_at, models, operations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	sqlVersions = `UPDATE accounts a SET version = n.version
		FROM unnest($1::text[], $2::bigint[]) AS n (account, version) WHERE a.account = n.account`
	sqlMovements = `INSERT INTO movements (shard, account, pos, grant_id, at, available, reserved, consumed, expired)
		SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::bigint[],
			$8::bigint[], $9::bigint[])`
	sqlMove = `UPDATE grants g SET available = g.available + n.available, reserved = g.reserved + n.reserved,
			consumed = g.consumed + n.consumed, expired = g.expired + n.expired
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
			AS n (account, grant_id, available, reserved, consumed, expired)
		WHERE g.account = n.account AND g.grant_id = n.grant_id`
	sqlReserve = `INSERT INTO reservations
		(shard, account, reservation, generation, at, expires_at, ended_at, slice_grants, slice_amounts)
		SELECT $1, account, reservation, generation, at, expires_at, ended_at, grants::text[], amounts::bigint[]
		FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
			$8::text[], $9::text[])
			AS n (account, reservation, generation, at, expires_at, ended_at, grants, amounts)`
	sqlChange = `UPDATE reservations r
		SET expires_at = coalesce(n.expires_at, r.expires_at), ended_at = coalesce(n.ended_at, r.ended_at)
		FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[])
			AS n (account, reservation, expires_at, ended_at)
		WHERE r.account = n.account AND r.reservation = n.reservation AND (n.ended_at IS NULL OR r.ended_at IS NULL)`
)

// write changes the rows in one round trip. A row that should be there and is not means that the view has missed an
// event.
func (f *fold) write(ctx context.Context, tx pgx.Tx) error {
	f.writeReservations()
	m := &f.movements
	f.writes.AddRows(len(m.pos), sqlMovements, f.shard, m.account, m.pos, m.grant, m.at, m.available, m.reserved, m.consumed,
		m.expired)
	var accounts, grants []string
	var available, reserved, consumed, expired []int64
	for key, d := range f.grants {
		accounts, grants = append(accounts, string(key.account)), append(grants, string(key.grant))
		available, reserved = append(available, int64(d.available)), append(reserved, int64(d.reserved))
		consumed, expired = append(consumed, int64(d.consumed)), append(expired, int64(d.expired))
	}
	f.writes.AddRows(len(grants), sqlMove, accounts, grants, available, reserved, consumed, expired)
	var ids []string
	var versions []int64
	for id, version := range f.versions {
		ids, versions = append(ids, string(id)), append(versions, version)
	}
	f.writes.AddRows(len(ids), sqlVersions, ids, versions)
	return f.writes.Run(ctx, tx)
}

func (f *fold) writeReservations() {
	n := len(f.order)
	accounts, ids, generations := make([]string, n), make([]string, n), make([]string, n)
	at, expires, ended := make([]time.Time, n), make([]time.Time, n), make([]*time.Time, n)
	grants, amounts := make([]string, n), make([]string, n)
	for i, r := range f.order {
		accounts[i], ids[i], generations[i] = string(r.account), string(r.reservation), string(r.generation)
		at[i], expires[i], ended[i] = r.at, r.expires, r.ended
		grants[i], amounts[i] = columns(r.slices)
	}
	f.writes.AddRows(n, sqlReserve, f.shard, accounts, ids, generations, at, expires, ended, grants, amounts)
	var of, changed []string
	var newExpires, newEnded []*time.Time
	for key, c := range f.changed {
		of, changed = append(of, string(key.account)), append(changed, string(key.reservation))
		newExpires, newEnded = append(newExpires, c.expires), append(newEnded, c.ended)
	}
	f.writes.AddRows(len(of), sqlChange, of, changed, newExpires, newEnded)
}

// columns returns slices as two arrays in the words of Postgres.
func columns(parts []account.Slice) (grants, amounts string) {
	names, numbers := make([]string, len(parts)), make([]string, len(parts))
	for i, p := range parts {
		names[i], numbers[i] = string(p.Grant), strconv.FormatInt(int64(p.Amount), 10)
	}
	return projections.TextArray(names), "{" + strings.Join(numbers, ",") + "}"
}

// movements are the columns of what events did to grants.
type movements struct {
	account, grant                         []string
	pos                                    []int64
	at                                     []time.Time
	available, reserved, consumed, expired []int64
}

func (m *movements) add(e projections.Event, d delta, at time.Time) {
	m.account, m.grant = append(m.account, string(e.Meta.Account)), append(m.grant, string(d.grant))
	m.pos, m.at = append(m.pos, e.Pos), append(m.at, at)
	m.available, m.reserved = append(m.available, int64(d.available)), append(m.reserved, int64(d.reserved))
	m.consumed, m.expired = append(m.consumed, int64(d.consumed)), append(m.expired, int64(d.expired))
}
