package balance

import (
	"slices"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// delta is what one event does to one grant.
type delta struct {
	grant                                  domain.GrantID
	available, reserved, consumed, expired domain.Credits
}

func deltas(p domain.Posted) []delta {
	var all []delta
	of := func(grant domain.GrantID) *delta {
		i := slices.IndexFunc(all, func(d delta) bool { return d.grant == grant })
		if i < 0 {
			i, all = len(all), append(all, delta{grant: grant})
		}
		return &all[i]
	}
	for _, posting := range p.Postings() {
		switch posting.Book {
		case domain.BookAvailable:
			of(posting.Grant).available += posting.Amount
		case domain.BookReserved:
			of(posting.Grant).reserved += posting.Amount
		case domain.BookConsumed:
			of(posting.Grant).consumed += posting.Amount
		case domain.BookBreakage:
			of(posting.Grant).expired += posting.Amount
		case domain.BookIssuance, domain.BookDebt: // not of a grant's credits
		}
	}
	if g, ok := p.(account.CreditsGranted); ok && g.RepaysLine > 0 {
		of(g.Grant).available -= g.RepaysLine
		of(account.LineGrant).available += g.RepaysLine
	}
	return all
}
