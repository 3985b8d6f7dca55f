package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// testOutcomes asks for many keys at once: with events and without, unknown ones, one twice, and those of others.
func testOutcomes(t *testing.T, s *suite) {
	unit := Unit(s.a, 1, 2)
	unit.Outcomes = []eventstore.NewOutcome{Outcome("first", 1), Outcome("second", 2), Outcome("refused", 0)}
	other := eventstore.Unit{Account: s.b, Outcomes: []eventstore.NewOutcome{Outcome("first", 0)}}
	_, err := Append(t.Context(), s.store, s.shard, unit, other)
	require.NoError(t, err)
	keys := []eventstore.OutcomeKey{{Account: s.a, Key: "unknown"}, {Account: s.c, Key: "first"}}
	for range 2 {
		for _, key := range []string{"first", "second", "refused"} {
			keys = append(keys, eventstore.OutcomeKey{Account: s.a, Key: key})
		}
	}
	keys = append(keys, eventstore.OutcomeKey{Account: s.b, Key: "first"})
	found, err := s.store.Outcomes(t.Context(), keys)
	require.NoError(t, err)
	require.Len(t, found, 4)
	for k, got := range found {
		want, ok := outcomeOf(t, s.store, k.Account, k.Key)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	none, err := s.store.Outcomes(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func testManyOutcomes(t *testing.T, s *suite) {
	keys := make([]eventstore.OutcomeKey, eventstore.KeysMax+1)
	for i := range keys {
		keys[i] = eventstore.OutcomeKey{Account: s.a, Key: fmt.Sprint(i)}
	}
	_, err := s.store.Outcomes(t.Context(), keys)
	require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
	found, err := s.store.Outcomes(t.Context(), keys[1:])
	require.NoError(t, err)
	require.Empty(t, found)
}
