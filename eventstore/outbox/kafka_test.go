package outbox_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/internal/kafkatest"
	"github.com/pingvas/pingvas/internal/pgtest"
)

// topic fills the ports of the outbox with a real broker.
type topic struct {
	admin   *kafka.Admin
	ordered *kafka.OrderedPublisher
	reader  *kafka.PartitionReader
}

// newTopic creates the topic of the ledger.
func newTopic(t testing.TB, brokers []string) topic {
	t.Helper()
	cluster, err := kafka.New(kafka.Config{Brokers: brokers, ClientID: "test", Logger: quiet()})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	k := topic{admin: kafka.NewAdmin(cluster)}
	require.NoError(t, k.admin.EnsureTopics(t.Context(), []kafka.TopicSpec{{Name: eventstore.Topic, Partitions: shards}}))
	k.ordered, err = kafka.NewOrderedPublisher(cluster, kafka.PublisherConfig{})
	require.NoError(t, err)
	k.reader, err = kafka.NewPartitionReader(cluster, kafka.ReaderConfig{})
	require.NoError(t, err)
	return k
}

func (k topic) Publish(ctx context.Context, topic string, partition int, records []outbox.Record) (int64, error) {
	out := make([]kafka.Record, len(records))
	for i, r := range records {
		out[i] = kafka.Record{Key: []byte(r.Key), Value: r.Value}
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			out[i].Headers = append(out[i].Headers, kafka.Header{Key: name, Value: []byte(r.Headers[name])})
		}
	}
	return k.ordered.PublishBatch(ctx, topic, partition, out)
}

func (k topic) Tail(ctx context.Context, topic string, partition int) (outbox.Tail, error) {
	lags, err := k.admin.Lag(ctx, "pingvas.outbox", topic)
	if err != nil {
		return outbox.Tail{}, err
	}
	at := lags[partition]
	if at.Start == at.End {
		return outbox.Tail{Known: at.End == 0}, nil
	}
	var last eventstore.Envelope
	read, done := context.WithCancel(ctx)
	defer done()
	err = k.reader.ReadPartitions(read, topic, func(p int) int64 {
		if p == partition {
			return at.End - 1
		}
		return kafka.LastOffset
	}, func(_ context.Context, p int, records []kafka.Record) error {
		if p != partition {
			return nil
		}
		defer done()
		var err error
		last, err = fromKafka(records[0])
		return err
	})
	if err == nil {
		err = ctx.Err()
	}
	return outbox.Tail{Known: true, Pos: last.Pos, Offset: at.End - 1, Chain: last.Chain}, err
}

func fromKafka(r kafka.Record) (eventstore.Envelope, error) {
	return eventstore.FromWire(func(name string) string {
		for _, h := range r.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}, r.Value)
}

// read returns the positions in the partitions once there are so many in all.
func (k topic) read(t *testing.T, events int) [shards][]int64 {
	t.Helper()
	ctx, done := context.WithTimeout(t.Context(), waitMax)
	defer done()
	var mu sync.Mutex
	var read [shards][]int64
	first := func(int) int64 { return kafka.FirstOffset }
	handle := func(_ context.Context, p int, records []kafka.Record) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			e, err := fromKafka(r)
			if err != nil {
				return err
			}
			read[p] = append(read[p], e.Pos)
			if events--; events == 0 {
				done()
			}
		}
		return nil
	}
	require.NoError(t, k.reader.ReadPartitions(ctx, eventstore.Topic, first, handle))
	return read
}

func positions(from, to int64) []int64 {
	var all []int64
	for pos := from; pos <= to; pos++ {
		all = append(all, pos)
	}
	return all
}

func TestTheLedgerIsOnKafkaAgainAfterItLostEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.append(t, 0, 1200)
	w.append(t, 2, 3)
	brokers := kafkatest.Own(t)
	for range 2 { // each time with a broker that has nothing
		kafkatest.Wipe(t, brokers)
		k := newTopic(t, brokers)
		stop := w.start(t, func(c *outbox.Config) { c.Publisher, c.Tails = k, k })
		want := [shards][]int64{positions(1, 1200), nil, positions(1, w.versions[2])}
		require.Equal(t, want, k.read(t, 1200+int(w.versions[2])))
		require.Eventually(t, func() bool { // stopped before, it would rightly publish the last batch again
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.checkpoints == w.versions
		}, waitMax, time.Millisecond)
		stop()

		tail, err := k.Tail(t.Context(), eventstore.Topic, 0)
		require.NoError(t, err)
		require.Equal(t, int64(1200), tail.Pos)
		stop = w.start(t, func(c *outbox.Config) { c.Publisher, c.Tails = k, k })
		w.append(t, 2, 1)
		want[2] = positions(1, w.versions[2])
		require.Equal(t, want, k.read(t, 1200+int(w.versions[2])), "nothing twice")
		stop()
	}
}

// Two outboxes share the leases of a real database while events come, and the leader is deposed again and again without
// being told, so that both publish for a moment. What is there twice does no harm; nothing is missing or out of order.
func TestHandOversUnderLoadLeaveNoGap(t *testing.T) {
	t.Parallel()
	const handOvers, perRound = 6, 700
	pool := pgtest.New(t, pgtest.Schema{})
	p := outbox.NewPostgres(pool)
	require.NoError(t, p.Setup(t.Context()))
	w, k := newWorld(t), newTopic(t, kafkatest.Own(t))
	var stops []func()
	for range 2 {
		stop := sync.OnceFunc(w.start(t, func(c *outbox.Config) {
			c.Publisher, c.Tails, c.Checkpoints, c.Leadership = k, k, p, p
		}))
		t.Cleanup(stop) // before the database and the broker
		stops = append(stops, stop)
	}
	total := 0
	for round := range handOvers {
		var deposed string
		require.Eventually(t, func() bool {
			w.append(t, round%shards, perRound/100)
			total += perRound / 100
			err := pool.QueryRow(t.Context(), `UPDATE outbox.leases SET holder = 'nobody', expires_at = clock_timestamp()
WHERE holder <> 'nobody' RETURNING holder`).Scan(&deposed)
			return err == nil
		}, waitMax, time.Millisecond)
		w.append(t, 0, perRound)
		total += perRound
	}
	require.Eventually(t, func() bool {
		for shard, version := range w.versions {
			if at, err := p.Load(t.Context(), shard); err != nil || at != version {
				return false
			}
		}
		return true
	}, waitMax, 10*time.Millisecond)
	for _, stop := range stops {
		stop()
	}
	written := 0
	lags, err := k.admin.Lag(t.Context(), "none", eventstore.Topic)
	require.NoError(t, err)
	for _, lag := range lags {
		written += int(lag.End)
	}
	for shard, read := range k.read(t, written) {
		last := int64(0)
		for _, pos := range read {
			require.LessOrEqual(t, pos, last+1, "a gap in shard %d", shard)
			last = max(last, pos)
		}
		require.Equal(t, w.versions[shard], last)
	}
	t.Logf("%d events, %d of them twice", total, written-total)
}
