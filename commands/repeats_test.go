package commands_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// asked counts the keys of each account that are looked up.
type asked struct {
	eventstore.Store
	keys map[domain.AccountID]int
}

func (s *asked) Outcomes(
	ctx context.Context, keys []eventstore.OutcomeKey,
) (map[eventstore.OutcomeKey]eventstore.Outcome, error) {
	for _, k := range keys {
		s.keys[k.Account]++
	}
	return s.Store.Outcomes(ctx, keys)
}

// Keys are looked up before they are decided only for accounts that repeat themselves, until they have not for a while;
// and for everybody as soon as many do.
func TestWhoseKeysAreLookedUpFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var callers []commands.Caller
	for n := range commands.RepeatersMax + 1 {
		c := commands.Caller{Account: domain.AccountID(id("acc_", 100+n)), Actor: "test"}
		open := commands.OpenAccount{Grant: domain.GrantID(id("grt_", 100+n)), At: noon}
		_, err := b.ledger.OpenAccount(t.Context(), c, open)
		require.NoError(t, err)
		_, err = b.ledger.GrantCredits(t.Context(), keyed(c, "old", 1), grantOf(n))
		require.NoError(t, err)
		callers = append(callers, c)
	}
	store := &asked{b.store, map[domain.AccountID]int{}}
	ledger, err := commands.New(commands.Config{Store: store, Codec: b.codec, Appenders: 1})
	require.NoError(t, err)
	grants := 1000
	grant := func(c commands.Caller, key string) (lookedUp int) {
		grants++
		before := store.keys[c.Account]
		made, err := ledger.GrantCredits(t.Context(), keyed(c, key, 1), grantOf(grants))
		require.NoError(t, err)
		require.Equal(t, key == "old", made.Replayed)
		return store.keys[c.Account] - before
	}
	last := callers[commands.RepeatersMax]

	require.Zero(t, grant(callers[0], "new"))
	require.Equal(t, 1, grant(callers[0], "old"), "the store has noticed")
	require.Equal(t, 1, grant(callers[0], "newer"))
	for range 3 {
		require.Equal(t, 1, grant(callers[0], "old"), "it is one account, however often")
	}
	for n, c := range callers[1:commands.RepeatersMax] {
		require.Zero(t, grant(last, fmt.Sprint("beside ", n)))
		require.Zero(t, grant(c, "new"), "the others' repetitions are no matter of its own")
		require.Equal(t, 1, grant(c, "old"))
	}
	require.Equal(t, 1, grant(last, "new"), "anybody may repeat himself now")
	for n := range commands.LookFirst {
		grant(callers[0], fmt.Sprint("meanwhile ", n))
	}
	require.Zero(t, grant(last, "newer"))
	require.Zero(t, grant(callers[0], "newest"))
	rests(t, ledger)
}
