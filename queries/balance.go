package queries

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/projections"
)

// Balance is an account's credits at a time. Available + Scheduled + Reserved + Consumed + Expired = Granted.
type Balance struct {
	At time.Time
	// Available is what may be spent from grants that are in effect, less the used credit line; it may be negative.
	Available domain.Credits
	// Scheduled is what is granted and not yet in effect.
	Scheduled domain.Credits
	Reserved  domain.Credits
	Consumed  domain.Credits
	Expired   domain.Credits
	Granted   domain.Credits
	// CreditLine is how far the account may go below zero, and CreditLineUsed how far it has.
	CreditLine     domain.Credits
	CreditLineUsed domain.Credits
	// Grants in draw order, then those with nothing left, newest first. At most GrantsMax are listed.
	Grants []Grant
	// Version is that of the account's stream now.
	Version int64
}

// GrantsMax is how many grants a balance lists.
const GrantsMax = 500

// Grant is one grant at a time. Amount = RepaidLine + Available + Reserved + Consumed + Expired.
type Grant struct {
	Grant     domain.GrantID
	Source    string
	Priority  int
	Amount    domain.Credits
	Available domain.Credits
	Reserved  domain.Credits
	Consumed  domain.Credits
	Expired   domain.Credits
	// RepaidLine is the part of Amount that paid back the used credit line when it was granted.
	RepaidLine  domain.Credits
	EffectiveAt time.Time
	ExpiresAt   time.Time // zero means never
	Models      []string  // empty means all
	Operations  []string  // empty means all
	GrantedAt   time.Time
}

// Balance returns the balance as it was, or will be if nothing else happens, at a time; zero means now. It returns
// CodeNotFound for an account that was not open then.
func (s *Service) Balance(ctx context.Context, r Read, at time.Time) (Balance, As, error) {
	sql := sqlBalanceAt
	if at.IsZero() {
		sql, at = sqlBalance, time.Now().UTC().Truncate(time.Microsecond)
	}
	var b Balance
	question := projections.Question{SQL: sql, Args: []any{r.Account, at}}
	as, err := s.once(ctx, r, []projections.Progress{s.views.balance}, question, func(rows pgx.Rows) error {
		b = Balance{}
		grants, err := pgx.CollectRows(rows, b.scanGrant)
		if err == nil && len(grants) == 0 { // an account has at least its credit line
			err = domain.Errorf(domain.CodeNotFound, "there is no such account, or it was not open then")
		}
		b.At = b.At.UTC()
		b.add(grants)
		return err
	})
	return b, as, err
}

// What an account has, grant by grant, the credit line among them, each with what is so of the account. Grants come in
// draw order. What open reservations still hold of a grant that have run out by the time of the balance comes last.
const (
	// sqlBalance is for the present, which is now, or the time of the account's newest movement if that is later: the
	// clocks of two servers differ, and whoever has just spent must see it. Nothing has happened after it. What has lapsed
	// is looked through for each grant, since it is hardly ever more than nothing.
	sqlBalance = `WITH lapsed AS MATERIALIZED (
			SELECT part.grant_id, part.amount
			FROM reservations r, unnest(r.slice_grants, r.slice_amounts) AS part (grant_id, amount)
			WHERE r.account = $1 AND r.ended_at IS NULL
				AND r.expires_at <= greatest($2, (SELECT max(at) FROM movements WHERE account = $1))
		)
		SELECT a.version, greatest($2, (SELECT max(at) FROM movements WHERE account = $1)), a.credit_line,
			g.grant_id, g.source, g.priority, g.amount, g.available, g.reserved, g.consumed, g.expired,
			g.repaid_line, g.effective_at, g.expires_at, g.models, g.operations, g.at,
			coalesce((SELECT sum(lapsed.amount) FROM lapsed WHERE lapsed.grant_id = g.grant_id), 0)::bigint
		FROM accounts a, grants g WHERE a.account = $1 AND g.account = $1
		ORDER BY g.priority, g.expires_at NULLS LAST, g.pos`
	// sqlBalanceAt takes back what happened to each grant after a time. What ran out by then may have been put off, but
	// only before it came.
	sqlBalanceAt = `WITH later AS (
			SELECT grant_id, sum(available) AS available, sum(reserved) AS reserved, sum(consumed) AS consumed,
				sum(expired) AS expired
			FROM movements WHERE account = $1 AND at > $2 GROUP BY grant_id
		), lapsed AS (
			SELECT part.grant_id, sum(part.amount) AS amount
			FROM reservations r, unnest(r.slice_grants, r.slice_amounts) AS part (grant_id, amount)
			WHERE r.account = $1 AND r.at <= $2 AND r.expires_at <= $2 AND (r.ended_at IS NULL OR r.ended_at > $2)
			GROUP BY part.grant_id
		)
		SELECT a.version, $2::timestamptz, (SELECT l.credit_line FROM credit_lines l
				WHERE l.account = $1 AND l.at <= $2 ORDER BY l.pos DESC LIMIT 1),
			g.grant_id, g.source, g.priority, g.amount,
			(g.available - coalesce(later.available, 0))::bigint, (g.reserved - coalesce(later.reserved, 0))::bigint,
			(g.consumed - coalesce(later.consumed, 0))::bigint, (g.expired - coalesce(later.expired, 0))::bigint,
			g.repaid_line, g.effective_at, g.expires_at, g.models, g.operations, g.at,
			coalesce(lapsed.amount, 0)::bigint
		FROM accounts a JOIN grants g ON g.account = $1 AND g.at <= $2
			LEFT JOIN later USING (grant_id) LEFT JOIN lapsed USING (grant_id)
		WHERE a.account = $1
		ORDER BY g.priority, g.expires_at NULLS LAST, g.pos`
)

// scanGrant returns a grant as it was at the time of the balance, which it sets.
func (b *Balance) scanGrant(row pgx.CollectableRow) (Grant, error) {
	var g Grant
	var expires *time.Time
	var lapsed domain.Credits
	err := row.Scan(&b.Version, &b.At, &b.CreditLine, &g.Grant, &g.Source, &g.Priority, &g.Amount, &g.Available,
		&g.Reserved, &g.Consumed, &g.Expired, &g.RepaidLine, &g.EffectiveAt, &expires, &g.Models, &g.Operations,
		&g.GrantedAt, &lapsed)
	g.EffectiveAt, g.ExpiresAt, g.GrantedAt = g.EffectiveAt.UTC(), orZero(expires), g.GrantedAt.UTC()
	g.Reserved -= lapsed
	g.Available += lapsed
	if !g.ExpiresAt.IsZero() && !g.ExpiresAt.After(b.At) {
		g.Expired += g.Available
		g.Available = 0
	}
	return g, err
}

// add sums the grants up and lists them.
func (b *Balance) add(grants []Grant) {
	var spent []Grant
	for _, g := range grants {
		b.Reserved += g.Reserved
		b.Consumed += g.Consumed
		b.Expired += g.Expired
		b.Granted += g.Amount
		switch {
		case g.Grant == account.LineGrant:
			b.CreditLineUsed = -g.Available
			b.Available += g.Available
			continue
		case g.EffectiveAt.After(b.At):
			b.Scheduled += g.Available
		default:
			b.Available += g.Available
		}
		if g.Available == 0 && g.Reserved == 0 {
			spent = append(spent, g)
		} else {
			b.Grants = append(b.Grants, g)
		}
	}
	slices.SortStableFunc(spent, func(x, y Grant) int { return y.GrantedAt.Compare(x.GrantedAt) })
	b.Grants = append(b.Grants, spent...)
	b.Grants = b.Grants[:min(len(b.Grants), GrantsMax)]
}
