package commands_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// twoAppenders runs a test in virtual time with a ledger of two appenders behind a gate. The append of one of them has
// arrived at the gate; the test gets a caller of the other.
func twoAppenders(t *testing.T, test func(t *testing.T, ledger *commands.Ledger, g *gate, second commands.Caller)) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		second := b.caller
		appender := func(c commands.Caller) int { return eventstore.ShardOf(c.Account, b.store.Shards()) % 2 }
		for n := 2; appender(second) == appender(b.caller); n++ {
			second.Account = domain.AccountID(id("acc_", n))
		}
		_, err := b.ledger.OpenAccount(t.Context(), second, commands.OpenAccount{
			Name: "Bob", Grant: domain.GrantID(id("grt_", 2)), At: noon,
		})
		require.NoError(t, err)
		g := &gate{Store: b.store, arrived: make(chan []eventstore.Unit), proceed: make(chan error)}
		ledger, err := commands.New(commands.Config{Store: g, Codec: b.codec, Appenders: 2})
		require.NoError(t, err)
		first := later(grantOn(t.Context(), ledger, b.caller, 0))
		<-g.arrived
		test(t, ledger, g, second)
		none(t, []<-chan error{first})
		rests(t, ledger)
	})
}

func grants(ctx context.Context, l *commands.Ledger, c commands.Caller, n int) (answers []<-chan error) {
	for i := range n {
		answers = append(answers, later(grantOn(ctx, l, c, 1+i)))
	}
	synctest.Wait()
	return answers
}

// hasArrived reports whether an append has come to the gate by now.
func (g *gate) hasArrived() bool {
	synctest.Wait()
	select {
	case <-g.arrived:
		return true
	default:
		return false
	}
}

func TestFewCommandsAreAppendedAfterThoseOfOtherAppenders(t *testing.T) {
	t.Parallel()
	twoAppenders(t, func(t *testing.T, ledger *commands.Ledger, g *gate, second commands.Caller) {
		answers := grants(t.Context(), ledger, second, commands.BesideMin-1)
		require.False(t, g.hasArrived())
		g.proceed <- nil
		require.Equal(t, []int{commands.BesideMin - 1}, g.all(1), "what came meanwhile is one batch")
		none(t, answers)
	})
}

func TestManyCommandsAreAppendedBesideThoseOfOtherAppenders(t *testing.T) {
	t.Parallel()
	twoAppenders(t, func(t *testing.T, ledger *commands.Ledger, g *gate, second commands.Caller) {
		answers := grants(t.Context(), ledger, second, commands.BesideMin)
		require.True(t, g.hasArrived())
		g.proceed <- nil
		g.proceed <- nil
		none(t, answers)
	})
}

func TestNobodyWaitsLongForOtherAppenders(t *testing.T) {
	t.Parallel()
	twoAppenders(t, func(t *testing.T, ledger *commands.Ledger, g *gate, second commands.Caller) {
		answers := grants(t.Context(), ledger, second, 1)
		time.Sleep(commands.TurnMax)
		require.True(t, g.hasArrived())
		g.proceed <- nil
		g.proceed <- nil
		none(t, answers)
	})
}
