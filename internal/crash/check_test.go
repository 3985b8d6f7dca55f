package crash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	domaingeneration "github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

const (
	pollEvery = 100 * time.Millisecond
	// answerMax bounds the answer to the last commands after the faults, endMax the end of all jobs, of which each may
	// need all its attempts, and catchUpMax what follows the ledger.
	answerMax  = time.Minute
	endMax     = 4 * time.Minute
	catchUpMax = time.Minute
	readMax    = 30 * time.Second
)

// awaitRest waits until nothing moves any more: all jobs have ended, and all views and the outbox are at the end. The
// scheduler ends before, because grants would go on to expire.
func awaitRest(t *testing.T, c *cluster, pool *pgxpool.Pool) {
	t.Helper()
	var open int64
	err := await(t.Context(), endMax, func(ctx context.Context) (bool, error) {
		err := pool.QueryRow(ctx, sqlOpen).Scan(&open)
		return open == 0, err
	})
	require.NoError(t, err, "%d jobs are still open", open)
	for _, p := range c.roles["schedule"] {
		require.NoError(t, p.stop(syscall.SIGTERM, stopMax))
	}
	var behind string
	err = await(t.Context(), catchUpMax, func(ctx context.Context) (bool, error) {
		err := pool.QueryRow(ctx, sqlBehind).Scan(&behind)
		return behind == "", err
	})
	require.NoError(t, err, "still behind: %s", behind)
}

func await(ctx context.Context, limit time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pollEvery):
		}
	}
}

// failures collects what is wrong, from several goroutines.
type failures struct {
	mu   sync.Mutex
	list []string
}

func (f *failures) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
}

// failuresShown bounds what a failed test prints.
const failuresShown = 30

func (f *failures) require(t *testing.T, what string) {
	t.Helper()
	require.Empty(t, f.list[:min(len(f.list), failuresShown)], "%s: %d findings", what, len(f.list))
}

// checkJournal asks every command again and looks up what was acknowledged.
func checkJournal(t *testing.T, c *client, customers []*customer, b *books) {
	t.Helper()
	var wrong failures
	var all sync.WaitGroup
	for _, customer := range customers {
		all.Go(func() {
			for _, e := range customer.journal {
				checkPosition(&wrong, b, e)
				if e.key == "" {
					continue
				}
				again, err := c.ask(t.Context(), customer.random, e.call)
				if err != nil || !same(e.call, e.answer, again) {
					wrong.add("%s %s with the key %s was answered %d at %q: %s\nnow %d at %q: %s (%v)", e.method, e.path, e.key,
						e.status, e.position, e.answer.body, again.status, again.position, again.body, err)
				}
			}
		})
	}
	all.Wait()
	wrong.require(t, "acknowledged commands")
}

func checkPosition(wrong *failures, b *books, e entry) {
	if e.position == "" {
		if e.event != "" && e.status < http.StatusBadRequest && e.method != http.MethodDelete {
			wrong.add("%s %s was answered %d without a position", e.method, e.path, e.status)
		}
		return
	}
	at, ok := b.events[e.position]
	switch {
	case !ok:
		wrong.add("%s %s was acknowledged at %s, where nothing is", e.method, e.path, e.position)
	case at.account != e.account:
		wrong.add("%s %s of %s was acknowledged at %s, where %s of %s is",
			e.method, e.path, e.account, e.position, at.kind, at.account)
	case e.id != "" && (!strings.HasPrefix(at.kind, e.event) || at.Grant != e.id && at.Generation != e.id):
		wrong.add("%s %s was acknowledged as %s %s at %s, where %s of %s%s is",
			e.method, e.path, e.event, e.id, e.position, at.kind, at.Grant, at.Generation)
	}
}

// checkBooks compares the ledger with what the customers know: nothing is missing, nothing is there twice.
func checkBooks(t *testing.T, customers []*customer, b *books) {
	t.Helper()
	var wrong failures
	accounts, jobs := 0, 0
	for _, customer := range customers {
		for _, a := range customer.accounts {
			accounts++
			jobs += len(a.generations)
			checkGrants(&wrong, a, b.grants[a.id])
			for id, g := range a.generations {
				checkJob(&wrong, id, a, g, b.jobs[id])
			}
		}
	}
	if accounts != len(b.grants) {
		wrong.add("the customers opened %d accounts, the ledger has %d", accounts, len(b.grants))
	}
	if jobs != len(b.jobs) {
		wrong.add("the customers requested %d generations, the ledger has %d", jobs, len(b.jobs))
	}
	for id, ends := range b.ends {
		if ends != 1 {
			wrong.add("reservation %s ends %d times", id, ends)
		}
	}
	wrong.require(t, "the ledger against the customers' journals")
}

func checkGrants(wrong *failures, a *account, recorded map[string]int64) {
	unknown := int64(0)
	for id, amount := range recorded {
		if _, known := a.grants[id]; !known {
			unknown += amount
		}
	}
	for id, amount := range a.grants {
		if recorded[id] != amount {
			wrong.add("account %s was granted %d as %s, the ledger has %d", a.id, amount, id, recorded[id])
		}
	}
	if len(recorded) != len(a.grants)+1 || unknown != openingGrant {
		wrong.add("account %s has %d grants and knows of %d, besides that of the opening; unknown are %d credits",
			a.id, len(recorded), len(a.grants), unknown)
	}
}

func checkJob(wrong *failures, id string, a *account, g *generation, j *job) {
	if j == nil {
		wrong.add("generation %s was acknowledged and is not in the ledger", id)
		return
	}
	if j.account != a.id || j.requests != 1 || j.reservations != 1 || len(j.ends) != 1 || j.settlements > 1 {
		wrong.add("generation %s of %s: %+v", id, a.id, *j)
		return
	}
	if j.quoted != g.quoted || j.reserved != g.quoted || j.charged > g.quoted {
		wrong.add("generation %s was quoted %d: %+v", id, g.quoted, *j)
	}
	var due []int64
	switch j.ends[0] {
	case "generation.completed.v1":
		due = []int64{g.quoted / g.images * j.images}
		if j.images == g.images {
			due = []int64{g.quoted}
		}
	case "generation.cancelled.v1":
		due = []int64{0, g.quoted / 2}
	default:
		due = []int64{0}
	}
	cancelled := j.ends[0] == "generation.cancelled.v1"
	asDue := j.charged == due[0] || j.charged == due[len(due)-1]
	if !asDue || cancelled != g.cancelled || cancelled && j.charged != g.settled {
		wrong.add("generation %s, which its customer knows as %+v, is charged %d: %+v", id, *g, j.charged, *j)
	}
}

// checkViews asks the API as each customer: its jobs, its images and its balance must be what the journal gives.
func checkViews(t *testing.T, c *client, customers []*customer, b *books) {
	t.Helper()
	var wrong failures
	var all sync.WaitGroup
	for _, customer := range customers {
		for _, a := range customer.accounts {
			if a.secret == "" {
				continue
			}
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), catchUpMax)
				defer cancel()
				charged := int64(0)
				for id := range a.generations {
					charged += checkShown(ctx, &wrong, c, a, id, b.jobs[id])
				}
				checkBalance(ctx, &wrong, c, a, charged)
				checkImages(ctx, &wrong, c, a)
			})
		}
	}
	all.Wait()
	wrong.require(t, "the views against the customers' journals")
}

// get reads from the API. The balance says something else whenever time goes on, so nothing is asked twice here.
func get[T any](ctx context.Context, c *client, a *account, path string, want int) (T, error) {
	got, err := c.ask(ctx, newRandom(a), call{method: http.MethodGet, path: path, secret: a.secret})
	if err != nil || got.status != want {
		var none T
		return none, fmt.Errorf("GET %s: %d %s (%w)", path, got.status, got.body, err)
	}
	return decode[T](got)
}

func checkShown(ctx context.Context, wrong *failures, c *client, a *account, id string, j *job) int64 {
	shown, err := get[shownGeneration](ctx, c, a, "/v1/generations/"+id, http.StatusOK)
	s := shown.Settlement
	if err != nil || s.Settled != j.charged || s.Settled+s.Released+s.Waived != s.Quoted || s.Quoted != j.quoted {
		wrong.add("generation %s is shown as %+v, the ledger has %+v: %v", id, shown, *j, err)
	}
	return s.Settled
}

func checkBalance(ctx context.Context, wrong *failures, c *client, a *account, charged int64) {
	granted := int64(openingGrant)
	for _, amount := range a.grants {
		granted += amount
	}
	b, err := get[shownBalance](ctx, c, a, "/v1/balance", http.StatusOK)
	if err != nil || b.Reserved != 0 || b.Granted != granted || b.Consumed != charged ||
		b.Available != granted-charged-b.Expired {
		wrong.add("account %s was granted %d and charged %d, its balance is %+v: %v", a.id, granted, charged, b, err)
	}
}

func checkImages(ctx context.Context, wrong *failures, c *client, a *account) {
	for id := range a.marked {
		want := http.StatusOK
		if a.deleted[id] {
			want = http.StatusNotFound
		}
		shown, err := get[struct{ Favourite bool }](ctx, c, a, "/v1/images/"+id, want)
		if err != nil || want == http.StatusOK && !shown.Favourite {
			wrong.add("image %s, deleted: %t, is shown as %+v: %v", id, a.deleted[id], shown, err)
		}
	}
}

var auditLine = regexp.MustCompile(`(?m)^(?:ledger: (\d+) events|view (\S+) +at (\d+) events)`)

// checkAudit has the product verify itself, and every view stand at the end of the ledger.
func checkAudit(t *testing.T, c *cluster, b *books) {
	t.Helper()
	out, err := c.tool("audit", "verify", "--log-level", "warn")
	t.Log("pingvas audit verify:\n" + out)
	require.NoError(t, err)
	require.Contains(t, out, "everything verifies")
	views := 0
	for _, line := range auditLine.FindAllStringSubmatch(out, -1) {
		events, err := strconv.Atoi(line[1] + line[3])
		require.NoError(t, err)
		require.Equal(t, len(b.events), events, "%s", line[0])
		views++
	}
	require.Greater(t, views, 5, "the output of the audit has another form")
}

// checkKafka reads the whole topic of the ledger: positions may repeat, but none may be missing or come early.
func checkKafka(t *testing.T, c *cluster, b *books) {
	t.Helper()
	broker := c.setting("KAFKA_BROKERS")
	total := 0
	for shard := range shards {
		newest := int64(0)
		err := readPartition(t.Context(), broker, eventstore.Topic, shard, func(m kafkago.Message) error {
			total++
			at := headerOf(m, eventstore.HeaderID)
			e, known := b.events[at]
			switch {
			case !known || e.shard != int64(shard):
				return fmt.Errorf("Kafka has %q, which the ledger has not", at)
			case e.pos > newest+1:
				return fmt.Errorf("Kafka goes from %d to %s", newest, at)
			case e.pos == newest+1:
				newest++
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, b.heads[int64(shard)], newest, "the end of shard %d in Kafka", shard)
	}
	t.Logf("Kafka holds %d events of the ledger's %d, in order", total, len(b.events))
	for _, topic := range []string{eventstore.Topic, domaingeneration.TopicResults} {
		err := readPartition(t.Context(), broker, kafka.DeadLetterTopic(topic), 0, func(m kafkago.Message) error {
			return fmt.Errorf("a dead letter: %v %s", m.Headers, m.Value)
		})
		require.NoError(t, err)
	}
}

func headerOf(m kafkago.Message, name string) string {
	for _, h := range m.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// readPartition hands every message that a partition holds now to see.
func readPartition(
	ctx context.Context, broker, topic string, partition int, see func(kafkago.Message) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, readMax)
	defer cancel()
	conn, err := kafkago.DialLeader(ctx, "tcp", broker, topic, partition)
	if err != nil {
		return fmt.Errorf("reach %s: %w", topic, err)
	}
	first, last, err := conn.ReadOffsets()
	if err := errors.Join(err, conn.Close()); err != nil || first == last {
		return err
	}
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: []string{broker}, Topic: topic, Partition: partition, MaxWait: pollEvery,
	})
	defer func() { _ = reader.Close() }()
	for {
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", topic, partition, err)
		}
		if err := see(m); err != nil {
			return fmt.Errorf("%s/%d at offset %d: %w", topic, partition, m.Offset, err)
		}
		if m.Offset == last-1 {
			return nil
		}
	}
}
