package account_test

import (
	"testing"

	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/domaintest"
)

func TestLedgers(t *testing.T) {
	t.Parallel()
	domaintest.Ledger[*account.State, account.Command]{
		Decider: account.Decider(),
		Events:  account.Events(),
		Commands: []account.Command{
			account.Open{}, account.GrantCredits{}, account.Reserve{}, account.Extend{}, account.Settle{},
			account.Release{}, account.ExpireDue{}, account.ChangeTier{},
		},
		Balance: figures,
	}.Run(t, "testdata/*.txtar")
}

// figures names the books, the used credit line and the number of open reservations.
func figures(s *account.State) map[string]int64 {
	return map[string]int64{
		"issuance": int64(s.Totals.Issuance), "available": int64(s.Totals.Available),
		"reserved": int64(s.Totals.Reserved), "consumed": int64(s.Totals.Consumed),
		"breakage": int64(s.Totals.Breakage), "debt": int64(s.Totals.Debt),
		"line": int64(s.LineUsed), "open": int64(s.Open()),
	}
}
