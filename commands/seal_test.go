package commands

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// A unit that would make the append too large stays behind, whole, and its commands join one by one next time. The
// units beside it go.
func TestUnitThatDoesNotFitStaysBehind(t *testing.T) {
	t.Parallel()
	a, b, s := newAppender(&Ledger{}, stateBytesUsual), newBatch(0), &shard{epoch: 1}
	piece := make([]byte, eventstore.EventBytesMax)
	commandOf := func(account domain.AccountID, events int) *command {
		c := &command{caller: Caller{Account: account}}
		for range events {
			c.events = append(c.events, eventstore.NewEvent{Data: piece})
		}
		u := b.unitOf(c, s)
		u.commands = append(u.commands, c)
		return c
	}
	const half = eventstore.AppendBytesMax / eventstore.EventBytesMax / 2
	small, large, larger := commandOf("a", 1), commandOf("b", half), commandOf("b", half)
	last := commandOf("c", 1)
	out := a.seal(b)
	require.Len(t, out, 1)
	require.Len(t, out[0].Units, 2)
	require.Equal(t, domain.AccountID("a"), out[0].Units[0].Account)
	require.Equal(t, domain.AccountID("c"), out[0].Units[1].Account)
	for _, u := range b.units {
		require.Equal(t, u.account == "b", u.void)
		require.Equal(t, u.account != "b", u.sent)
		u.repeat(0)
	}
	for _, c := range []*command{large, larger} {
		require.True(t, c.again)
		require.True(t, c.crowded)
	}
	for _, c := range []*command{small, last} {
		require.False(t, c.crowded)
	}
}
