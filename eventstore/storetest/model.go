package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// The size of RunModel.
const (
	modelSteps    = 1500
	modelCallers  = 3
	modelAccounts = 5 // of each shard
	modelShards   = 2
)

// RunModel has callers that know more or less of a ledger append to a store, and to another one, the model, which is
// asked to look at everything. It compares the answers and what is recorded. The callers keep to what a Batch says of
// known heads.
func RunModel(t *testing.T, store, model eventstore.Store) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := newModel(rand.New(rand.NewPCG(seed, 0)), store.Shards())
	for range modelSteps {
		c := m.callers[m.r.IntN(len(m.callers))]
		batches := m.batches(c)
		got, err := store.Append(t.Context(), batches)
		require.NoError(t, err)
		want, err := model.Append(t.Context(), checked(batches))
		require.NoError(t, err)
		for i, b := range batches {
			require.Equal(t, want[i].Results, got[i].Results, "%+v", b)
			require.Equal(t, [2]eventstore.Head{want[i].Before, want[i].After}, [2]eventstore.Head{got[i].Before, got[i].After})
			if got[i].Missed != nil {
				require.Equal(t, want[i].Missed, got[i].Missed)
			}
			m.learn(c, b, got[i])
		}
	}
	for shard := range modelShards {
		require.Equal(t, timeless(ReadAll(t, model, shard)), timeless(ReadAll(t, store, shard)))
	}
	m.demand(t)
}

func checked(batches []eventstore.Batch) []eventstore.Batch {
	out := slices.Clone(batches)
	for i := range out {
		out[i].Check = true
	}
	return out
}

func timeless(all []eventstore.Envelope) []eventstore.Envelope {
	for i := range all {
		all[i].RecordedAt = time.Time{}
	}
	return all
}

// modelRun is what is true, and what each caller knows of it.
type modelRun struct {
	r        *rand.Rand
	accounts [][]domain.AccountID // by shard
	versions map[string]int64
	keys     map[domain.AccountID][]string
	serial   int
	callers  []*knowing
	seen     map[seen]int
}

// knowing is a caller: heads by shard, and the streams as they were then.
type knowing struct {
	heads    []eventstore.Head
	versions map[string]int64
}

// seen is what happened to a unit whose caller knew this much.
type seen struct {
	known  string
	status eventstore.Status
}

func newModel(r *rand.Rand, shards int) *modelRun {
	m := &modelRun{r: r, versions: map[string]int64{}, keys: map[domain.AccountID][]string{}, seen: map[seen]int{}}
	for range modelCallers {
		m.callers = append(m.callers, &knowing{make([]eventstore.Head, shards), map[string]int64{}})
	}
	for shard := range modelShards {
		m.accounts = append(m.accounts, Accounts(shard, shards, modelAccounts))
	}
	return m
}

func (m *modelRun) oneIn(n int) bool { return m.r.IntN(n) == 0 }

// batches are of one shard or both, in any order.
func (m *modelRun) batches(c *knowing) []eventstore.Batch {
	var out []eventstore.Batch
	for _, shard := range m.r.Perm(modelShards)[:1+m.r.IntN(modelShards)] {
		head, versions := c.heads[shard], c.versions
		b := eventstore.Batch{Shard: shard, Known: &head}
		switch m.r.IntN(6) {
		case 0:
			b.Known = nil
		case 1: // it knows the streams less far than the head, or further
			b.Check = true
		}
		if b.Known == nil || b.Check {
			versions = m.callers[m.r.IntN(modelCallers)].versions
			if !m.oneIn(3) {
				versions = m.versions
			}
		}
		for _, n := range m.r.Perm(modelAccounts)[:1+m.r.IntN(3)] {
			b.Units = append(b.Units, m.unit(m.accounts[shard][n], versions))
		}
		out = append(out, b)
	}
	return out
}

func streamsOf(a domain.AccountID) []string {
	return []string{eventstore.AccountStream(a), eventstore.LibraryStream(a)}
}

// unit adds events to one or two streams of the account, or only reads them; mostly under a key, and that may be old.
func (m *modelRun) unit(a domain.AccountID, versions map[string]int64) eventstore.Unit {
	u := eventstore.Unit{Account: a}
	for _, stream := range streamsOf(a) {
		switch m.r.IntN(4) {
		case 0:
			u.Reads = append(u.Reads, eventstore.StreamVersion{Stream: stream, Version: versions[stream]})
		case 1:
		default:
			u.Events = append(u.Events, Events(stream, versions[stream]+1, 1+m.r.IntN(3))...)
		}
	}
	if len(u.Events) > 0 && m.oneIn(4) {
		return u
	}
	m.serial++
	key := fmt.Sprint("key ", m.serial)
	if old := m.keys[a]; len(old) > 0 && m.oneIn(8) {
		key = old[m.r.IntN(len(old))]
	}
	u = WithKey(u, key)
	if len(u.Events) > 0 && m.oneIn(2) {
		u.Outcomes[0].Body = nil
	}
	return u
}

// learn notes what is true now, of which the caller may learn only later.
func (m *modelRun) learn(c *knowing, b eventstore.Batch, out eventstore.Appended) {
	known := "missed"
	switch {
	case b.Known == nil:
		known = "unknown"
	case b.Check:
		known = "checked"
	case *b.Known == out.Before:
		known = "known"
	}
	for i, u := range b.Units {
		status := out.Results[i].Status
		m.seen[seen{known, status}]++
		if status != eventstore.StatusAppended {
			continue
		}
		for _, e := range u.Events {
			m.versions[e.Stream] = e.Version
		}
		for _, o := range u.Outcomes {
			m.keys[u.Account] = append(m.keys[u.Account], o.Key)
		}
	}
	if m.oneIn(2) {
		c.heads[b.Shard] = out.After
		for _, a := range m.accounts[b.Shard] {
			for _, stream := range streamsOf(a) {
				c.versions[stream] = m.versions[stream]
			}
		}
	}
}

// demand fails if something never happened. On a head that is known nothing can have moved on.
func (m *modelRun) demand(t *testing.T) {
	for _, known := range []string{"known", "missed", "checked", "unknown"} {
		for _, status := range []eventstore.Status{
			eventstore.StatusAppended, eventstore.StatusConflict, eventstore.StatusDuplicate,
		} {
			if s := (seen{known, status}); s != (seen{"known", eventstore.StatusConflict}) {
				require.Positive(t, m.seen[s], "%+v never happened", s)
			}
		}
	}
}
