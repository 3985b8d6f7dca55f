package statement

import (
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// monthOf returns the first moment of the month in UTC.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

const (
	sqlMonths = `INSERT INTO months (shard, account, month, first_pos, last_pos, available_before, available_after,
		reserved_before, reserved_after)
		SELECT $1, * FROM unnest($2::text[], $3::date[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
			$8::bigint[], $9::bigint[])
		ON CONFLICT (account, month) DO UPDATE SET last_pos = excluded.last_pos,
			available_after = excluded.available_after, reserved_after = excluded.reserved_after`
	sqlKinds = `INSERT INTO month_kinds AS k (shard, account, month, kind, lines, amount, returned, waived)
		SELECT $1, * FROM unnest($2::text[], $3::date[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
			$8::bigint[])
		ON CONFLICT (account, month, kind) DO UPDATE SET lines = k.lines + excluded.lines,
			amount = k.amount + excluded.amount, returned = k.returned + excluded.returned,
			waived = k.waived + excluded.waived`
)

// months are what a batch does to the months of its accounts.
type months struct {
	shard int
	spans map[monthKey]*span
	kinds map[kindKey]*kindSum
}

type monthKey struct {
	account domain.AccountID
	month   time.Time
}

type span struct {
	first, last   int64 // positions
	before, after totals
}

type kindKey struct {
	monthKey
	kind string
}

type kindSum struct {
	lines                    int64
	amount, returned, waived domain.Credits
}

func newMonths(shard int) *months {
	return &months{shard: shard, spans: map[monthKey]*span{}, kinds: map[kindKey]*kindSum{}}
}

func (m *months) add(e projections.Event, l *line, before, after totals) {
	key := monthKey{e.Meta.Account, after.month}
	s := m.spans[key]
	if s == nil {
		s = &span{first: e.Pos, before: before}
		m.spans[key] = s
	}
	s.last, s.after = e.Pos, after
	k := m.kinds[kindKey{key, l.kind}]
	if k == nil {
		k = &kindSum{}
		m.kinds[kindKey{key, l.kind}] = k
	}
	k.lines, k.amount = k.lines+1, k.amount+l.amount
	k.returned, k.waived = k.returned+l.returned, k.waived+l.waived
}

func (m *months) write(w *projections.Writes) {
	var accounts, kinds []string
	var at []time.Time
	var first, last, a, b, c, d []int64
	for key, s := range m.spans {
		accounts, at = append(accounts, string(key.account)), append(at, key.month)
		first, last = append(first, s.first), append(last, s.last)
		a, b = append(a, int64(s.before.available)), append(b, int64(s.after.available))
		c, d = append(c, int64(s.before.reserved)), append(d, int64(s.after.reserved))
	}
	w.AddRows(len(accounts), sqlMonths, m.shard, accounts, at, first, last, a, b, c, d)
	accounts, at, a, b, c, d = nil, nil, nil, nil, nil, nil
	for key, k := range m.kinds {
		accounts, at, kinds = append(accounts, string(key.account)), append(at, key.month), append(kinds, key.kind)
		a, b = append(a, k.lines), append(b, int64(k.amount))
		c, d = append(c, int64(k.returned)), append(d, int64(k.waived))
	}
	w.AddRows(len(accounts), sqlKinds, m.shard, accounts, at, kinds, a, b, c, d)
}
