package commands

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/eventstore"
)

// onItsWay is a command of which keys has been told.
func onItsWay(k *keys, n int) *command {
	c := &command{caller: Caller{Account: "a", Idempotency: &Idempotency{Key: strconv.Itoa(n)}}}
	key, _ := c.key()
	k.begin(key, c)
	return c
}

func keyOf(n int) eventstore.OutcomeKey {
	return eventstore.OutcomeKey{Account: "a", Key: strconv.Itoa(n)}
}

func TestKeysAreKnownWhileTheirCommandsAreOnTheirWay(t *testing.T) {
	t.Parallel()
	k := newKeys()
	c := onItsWay(k, 1)
	require.Same(t, c, k.find(keyOf(1)).command)
	require.Nil(t, k.find(keyOf(2)))
	k.end(c)
	require.Nil(t, k.find(keyOf(1)), "it was not recorded")
	k.end(c)
	require.Empty(t, k.all)
}

func TestTheLastRecordedKeysAreKept(t *testing.T) {
	t.Parallel()
	k := newKeys()
	waits := onItsWay(k, -1)
	const all = 2*recentMax + 100
	for n := range all {
		c := onItsWay(k, n)
		c.answer.position = eventstore.Position{Pos: int64(n)}
		k.keep(c)
		k.end(c)
		require.LessOrEqual(t, len(k.all), recentMax+1)
	}
	for n := range all {
		known := k.find(keyOf(n))
		if n < all-recentMax {
			require.Nil(t, known)
			continue
		}
		require.Nil(t, known.command)
		require.EqualValues(t, n, known.position.Pos)
	}
	require.Same(t, waits, k.find(keyOf(-1)).command, "what is on its way is never dropped")
}
