package postgres_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/postgres"
	"github.com/pingvas/pingvas/eventstore/storetest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

const (
	benchmarkAccounts = 1000
	benchmarkLedger   = 16 // shards
	benchmarkShards   = 6  // of one append
)

// BenchmarkAppend measures appends of one-event commands to shards whose heads are known. cpu-µs is the processor time
// of the server's process, without what other processes of the server do for it.
func BenchmarkAppend(b *testing.B) {
	for _, units := range []int{1, 25, 50, 250} {
		b.Run(fmt.Sprintf("units=%d", units), func(b *testing.B) {
			pool := connect(b, pgtest.URL(b, migrated(benchmarkLedger))+"&pool_max_conns=1")
			l := newKnownLoad(openPool(b, pool))
			measure(b, pool, func() { l.append(b, units) })
		})
	}
}

// BenchmarkSharedAppend is the same for two processes in turn: each finds that the other has appended to every shard
// since, though not to the same accounts. cpu-µs is that of one.
func BenchmarkSharedAppend(b *testing.B) {
	for _, units := range []int{1, 25, 50} {
		b.Run(fmt.Sprintf("units=%d", units), func(b *testing.B) {
			url := pgtest.URL(b, migrated(benchmarkShards)) + "&pool_max_conns=1"
			pool := connect(b, url)
			loads := []*knownLoad{newKnownLoad(openPool(b, pool)), newKnownLoad(openPool(b, connect(b, url)))}
			loads[1].commands = 1 << 40 // other keys
			for shard, accounts := range loads[0].accounts {
				half := len(accounts) / 2
				loads[0].accounts[shard], loads[1].accounts[shard] = slices.Clip(accounts[:half]), accounts[half:]
			}
			measure(b, pool, func() {
				loads[0].append(b, units)
				loads[1].append(b, units)
			})
		})
	}
}

// knownLoad appends to the accounts in turn.
type knownLoad struct {
	store    *postgres.Store
	accounts [][]domain.AccountID // by shard
	versions map[domain.AccountID]int64
	heads    []eventstore.Head
	first    int // the shard with which the next append begins
	commands int
}

func newKnownLoad(s *postgres.Store) *knownLoad {
	l := &knownLoad{
		store: s, accounts: make([][]domain.AccountID, s.Shards()), versions: map[domain.AccountID]int64{},
		heads: make([]eventstore.Head, s.Shards()),
	}
	for n := range benchmarkAccounts {
		a := storetest.Account(n)
		shard := eventstore.ShardOf(a, s.Shards())
		l.accounts[shard] = append(l.accounts[shard], a)
	}
	return l
}

// append spreads units over some of the shards.
func (l *knownLoad) append(b *testing.B, units int) {
	batches := make([]eventstore.Batch, min(units, benchmarkShards, l.store.Shards()))
	for i := range batches {
		shard := (l.first + i) % l.store.Shards()
		batches[i].Shard, batches[i].Known = shard, &l.heads[shard]
		for range (units + i) / len(batches) {
			batches[i].Units = append(batches[i].Units, l.unit(shard))
		}
	}
	l.first++
	out, err := l.store.Append(b.Context(), batches)
	require.NoError(b, err)
	for i, appended := range out {
		require.Equal(b, eventstore.StatusAppended, appended.Results[0].Status)
		l.heads[batches[i].Shard] = appended.After
	}
}

// unit is a command that is told by its event, which is as large as most are.
func (l *knownLoad) unit(shard int) eventstore.Unit {
	a := l.accounts[shard][0]
	l.accounts[shard] = append(l.accounts[shard][1:], a)
	l.versions[a]++
	l.commands++
	u := storetest.Unit(a, l.versions[a], 1)
	u.Events[0].Data = fmt.Appendf(nil, `{"reservation":"res_%026d","amount":10,"note":%q}`, l.commands,
		strings.Repeat("x", 150))
	u = storetest.WithKey(u, strconv.Itoa(l.commands))
	u.Outcomes[0].Body = nil
	return u
}

// measure reports the processor time of the server's process for the pool's only connection, after a first time that
// prepares statements.
func measure(b *testing.B, pool *pgxpool.Pool, do func()) {
	var pid int
	require.NoError(b, pool.QueryRow(b.Context(), `SELECT pg_backend_pid()`).Scan(&pid))
	do()
	before := processorTime(pid)
	for b.Loop() {
		do()
	}
	spent := processorTime(pid) - before
	b.ReportMetric(float64(spent)/float64(time.Microsecond)/float64(b.N), "cpu-µs/op")
}

// processorTime returns what a process of this machine has used, or 0 where the system does not tell.
func processorTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	ns, _ := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns)
}
