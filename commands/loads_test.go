package commands_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
)

// crowded returns a store whose reads of streams wait, with a command on each of so many accounts, of which none is in
// memory and none was opened, and the codes of the refusals once there are.
func crowded(t *testing.T, accounts int) (*reads, <-chan domain.Code) {
	t.Helper()
	ledger, s := setup(t).slowly(t)
	codes := make(chan domain.Code, accounts)
	for n := range accounts {
		caller := commands.Caller{Account: domain.AccountID(id("acc_", 100+n)), Actor: "test"}
		go func() { codes <- domain.CodeOf(reserveOn(t.Context(), ledger, caller, n)()) }()
	}
	synctest.Wait()
	return s, codes
}

func TestFewCommandsReadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		accounts := 3 * commands.LoadsMax()
		s, codes := crowded(t, accounts)
		require.Len(t, s.asked, min(commands.LoadsMax(), s.Shards()))
		close(s.proceed)
		for range accounts {
			require.Equal(t, domain.CodeNotFound, <-codes)
		}
	})
}

func TestWhoGetsNoTurnToReadIsToldToComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		accounts := 3 * commands.LoadsMax()
		s, codes := crowded(t, accounts)
		reading, served := len(s.asked), 0
		for _, names := range s.asked { // of one account each
			served += len(names)
		}
		for range accounts - served {
			require.Equal(t, domain.CodeUnavailable, <-codes)
		}
		require.Len(t, s.asked, reading)
		close(s.proceed)
		synctest.Wait()
	})
}
