package commands

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/eventstore"
)

// held is a command's entries, loaded with so many grants.
func held(s *states, name string, grants int) (*command, []*entry) {
	id := domain.AccountID(name)
	c := &command{caller: Caller{Account: id}, streams: []string{eventstore.AccountStream(id)}}
	entries, _ := s.hold(c, &shard{epoch: 1})
	for _, e := range entries {
		e.loaded, e.own = true, true
		for n := range grants {
			e.state.fold(int64(n+1), account.CreditsGranted{Grant: domain.GrantID(strconv.Itoa(n)), Amount: 1})
		}
	}
	return c, entries
}

func TestIdleStatesAreBoundedByWeight(t *testing.T) {
	t.Parallel()
	s := newStates(stateBytesUsual)
	_, used := held(s, "used", 1)
	const grants = 1000
	for n := range 200 { // of a megabyte each
		_, entries := held(s, strconv.Itoa(n), grants)
		require.Greater(t, entries[0].state.weight(), grants*thingBytes)
		s.release(entries)
		require.LessOrEqual(t, s.weight, stateBytesUsual)
	}
	require.Greater(t, s.weight, stateBytesUsual/2, "it is used, too")
	require.Less(t, len(s.all)-s.busy, 200)
	require.NotNil(t, s.find(use{"199", "account-199"}), "the newest stay")
	require.Nil(t, s.find(use{"0", "account-0"}))
	require.Same(t, used[0], s.find(used[0].use), "what is used is never dropped")
	require.Equal(t, 1, s.busy)
}

func TestIdleStatesAreBoundedByNumber(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	s := newStates(most)
	for n := range most/stateBytes + 100 {
		id := domain.ImageID(strconv.Itoa(n))
		c := &command{caller: Caller{Account: "a"}, streams: []string{eventstore.ImageStream(id)}}
		entries, _ := s.hold(c, &shard{epoch: 1})
		entries[0].own = true
		entries[0].weighs = 0
		s.release(entries)
		require.LessOrEqual(t, len(s.all)-s.busy, most/stateBytes)
		require.LessOrEqual(t, s.weight, most)
	}
	require.Zero(t, s.busy)
}

// Two commands never have two states of one stream, whether it is idle, busy or being loaded.
func TestOneStateForEachStream(t *testing.T) {
	t.Parallel()
	s := newStates(stateBytesUsual)
	_, first := held(s, "a", 1)
	_, second := held(s, "a", 0)
	require.Same(t, first[0], second[0])
	s.release(first)
	require.Equal(t, 1, s.busy, "the second still holds it")
	s.release(second)
	require.Zero(t, s.busy)
	_, third := held(s, "a", 0)
	require.Same(t, first[0], third[0], "it was kept")
	s.bury(third[0])
	_, fourth := held(s, "a", 0)
	require.NotSame(t, third[0], fourth[0], "one that is buried is loaded anew")
	s.release(third)
	require.Same(t, fourth[0], s.find(fourth[0].use), "and its end does not touch the new one")
	s.release(fourth)
	require.Equal(t, fourth[0].weighs, s.weight)
	s.bury(fourth[0])
	require.Zero(t, s.weight)
}

// A state that was assumed to be empty is no truth for those who need its events.
func TestAssumedEmptyStateIsCheckedForOthers(t *testing.T) {
	t.Parallel()
	s, of := newStates(stateBytesUsual), &shard{epoch: 7}
	stream := eventstore.GenerationStream("g")
	begins := &command{caller: Caller{Account: "a"}, streams: []string{stream}, fresh: stream}
	entries, _ := s.hold(begins, of)
	require.True(t, entries[0].assumed)
	require.EqualValues(t, 7, entries[0].asOf)
	_, fresh := s.hold(&command{caller: Caller{Account: "a"}, streams: []string{stream}}, of)
	require.Empty(t, fresh)
	require.Zero(t, entries[0].asOf, "the store has to look")
}
