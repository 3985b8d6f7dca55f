package crash

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

var (
	killsFlag = flag.Int("kills", 12, "kills of one run")
	seedFlag  = flag.Uint64("seed", 0, "seed of the load and the faults; 0 draws one")
	leaseFlag = flag.Duration("lease", 4*time.Second, "shortest lease of a job; roles are paused for longer")
)

const (
	customers = 8
	readyMax  = 30 * time.Second
)

func TestNothingIsLostWhenProcessesAreKilled(t *testing.T) {
	t.Parallel()
	seed := *seedFlag
	for seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	t.Logf("again: go test ./internal/crash -count=1 -v -kills %d -lease %s -seed %d", *killsFlag, *leaseFlag, seed)
	c := startCluster(t, *leaseFlag)
	shared := newClient(c.apis)
	t.Cleanup(shared.http.CloseIdleConnections)
	awaitReady(t, shared)
	load := startLoad(t, shared, seed)
	torment := &torment{t: t, cluster: c, started: time.Now(), victims: map[string]int{}}
	torment.run(t.Context(), plan(seed, *killsFlag, *leaseFlag))
	faultsTook := time.Since(torment.started)
	require.Empty(t, torment.errs)
	load.finish(t)
	pool := connect(t, c)
	awaitRest(t, c, pool)
	t.Logf("at rest %.1f s after the last fault", (time.Since(torment.started) - faultsTook).Seconds())

	b, err := readBooks(t.Context(), pool)
	require.NoError(t, err)
	report(t, torment, load, b, faultsTook)
	checkBooks(t, load.customers, b)
	checkViews(t, shared, load.customers, b)
	checkJournal(t, shared, load.customers, b)
	again, err := readBooks(t.Context(), pool)
	require.NoError(t, err)
	require.Equal(t, b.heads, again.heads, "asking again changed the ledger")
	checkKafka(t, c, b)
	checkPictures(t, c, b)
	require.Empty(t, c.stopRoles(), "after the faults everything ends in order")
	checkAudit(t, c, b)
	require.Zero(t, shared.internal.Load(), "internal errors, the last: %s", deref(shared.lastInternal.Load()))
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// newRandom draws for reads of an account, whose course does not matter.
func newRandom(a *account) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(a.id))
	return rand.New(rand.NewPCG(h.Sum64(), 0))
}

func awaitReady(t *testing.T, c *client) {
	t.Helper()
	for _, api := range c.apis {
		err := await(t.Context(), readyMax, func(ctx context.Context) (bool, error) {
			a, err := c.try(ctx, api, call{method: http.MethodGet, path: "/ready"})
			return err == nil && a.status == http.StatusOK, err
		})
		require.NoError(t, err)
	}
}

func connect(t *testing.T, c *cluster) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), c.db.url())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// load is what the customers do.
type load struct {
	customers []*customer
	stop      chan struct{}
	cancel    context.CancelFunc
	all       sync.WaitGroup
	errs      []error // by customer
}

func startLoad(t *testing.T, c *client, seed uint64) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: make(chan struct{}), cancel: cancel, errs: make([]error, customers)}
	t.Cleanup(func() { cancel(); l.all.Wait() })
	for i := range customers {
		l.customers = append(l.customers, newCustomer(c, seed, i))
		l.all.Go(func() { l.errs[i] = l.customers[i].run(ctx, l.stop) })
	}
	return l
}

// finish lets every customer wait for its last answer.
func (l *load) finish(t *testing.T) {
	t.Helper()
	close(l.stop)
	timer := time.AfterFunc(answerMax, l.cancel)
	defer timer.Stop()
	l.all.Wait()
	for _, err := range l.errs {
		require.NoError(t, err)
	}
}

// report says what the run came to.
func report(t *testing.T, m *torment, l *load, b *books, took time.Duration) {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("%d kills and %d pauses in %.0f s", m.kills, m.pauses, took.Seconds())
	for _, victim := range slices.Sorted(maps.Keys(m.victims)) {
		add("  killed %3d times: %s", m.victims[victim], victim)
	}
	commands, refused := 0, 0
	for _, c := range l.customers {
		commands += len(c.journal)
		for _, e := range c.journal {
			if e.status >= http.StatusBadRequest {
				refused++
			}
		}
	}
	c := l.customers[0].client
	add("%d commands acknowledged, %d of them refusals; %d tries with unknown result were made again",
		commands, refused, c.unknown.Load())
	ends := map[string]int{}
	for _, j := range b.jobs {
		ends[strings.Join(j.ends, " ")]++
	}
	add("%d events, %d generations: %v", len(b.events), len(b.jobs), ends)
	kinds := map[string]int{}
	for _, e := range b.events {
		kinds[e.kind]++
	}
	add("claimed %d, requeued %d, settled %d, released %d, grants expired %d", kinds["generation.claimed.v1"],
		kinds["generation.requeued.v1"], kinds["account.credits_settled.v1"], kinds["account.credits_released.v1"],
		kinds["account.grant_expired.v1"])
	for _, p := range m.cluster.all() {
		if own := p.ownEnds(); len(own) > 0 {
			add("%s ended by itself %d times, the last: %s", p.name, len(own), own[len(own)-1])
		}
	}
	t.Log(strings.Join(lines, "\n"))
}
