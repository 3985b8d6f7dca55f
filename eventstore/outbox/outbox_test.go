package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/eventstore/storetest"
)

const shards = 3

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// world is a ledger, a topic and checkpoints in memory, with everything that can go wrong.
type world struct {
	ledger *memory.Store

	mu          sync.Mutex
	partitions  [shards][]outbox.Record
	checkpoints [shards]int64
	versions    [shards]int64
	publishFail func(shard int, records []outbox.Record) (written int, err error)
	moveFail    func(shard int) error
	failures    [shards]int
	lags        [shards]lag
	wiped       bool // while it was published
	owner       int  // which account of a shard appends
}

type lag struct {
	events int64
	age    time.Duration
}

func newWorld(t require.TestingT) *world {
	ledger, err := memory.New(memory.Config{Shards: shards, Now: time.Now})
	require.NoError(t, err)
	return &world{
		ledger:      ledger,
		publishFail: func(_ int, r []outbox.Record) (int, error) { return len(r), nil },
		moveFail:    func(int) error { return nil },
	}
}

func (w *world) append(t require.TestingT, shard, n int) {
	account := storetest.Accounts(shard, shards, w.owner+1)[w.owner]
	meta, err := json.Marshal(eventstore.Metadata{Account: account})
	require.NoError(t, err)
	unit := storetest.Unit(account, w.versions[shard]+1, n)
	for i := range unit.Events {
		unit.Events[i].Metadata = meta
	}
	results, err := storetest.Append(context.Background(), w.ledger, shard, unit)
	require.NoError(t, err)
	require.Equal(t, eventstore.StatusAppended, results[0].Status)
	w.versions[shard] += int64(n)
}

func (w *world) Publish(_ context.Context, topic string, partition int, records []outbox.Record) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if topic != eventstore.Topic {
		return 0, fmt.Errorf("published to %s", topic)
	}
	written, err := w.publishFail(partition, records)
	w.partitions[partition] = append(w.partitions[partition], records[:written]...)
	return int64(len(w.partitions[partition]) - 1), err
}

func (w *world) Load(_ context.Context, shard int) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.checkpoints[shard], nil
}

func (w *world) Move(_ context.Context, shard int, from, to int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.moveFail(shard); err != nil {
		return err
	}
	if w.checkpoints[shard] != from {
		return outbox.ErrMoved
	}
	w.checkpoints[shard] = to
	return nil
}

func (w *world) Tail(_ context.Context, _ string, partition int) (outbox.Tail, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	tail := outbox.Tail{Known: true}
	for n := len(w.partitions[partition]) - 1; n >= 0; n-- {
		if w.partitions[partition][n].Headers[outbox.HeaderRepeated] != "" {
			continue
		}
		e, err := fromRecord(w.partitions[partition][n])
		tail.Pos, tail.Chain, tail.Offset = e.Pos, e.Chain, int64(n)
		return tail, err
	}
	return tail, nil
}

func (w *world) Lead(ctx context.Context, _ int, work func(context.Context) error) error {
	return work(ctx)
}

func (w *world) Leads(int, bool)    {}
func (w *world) Published(int, int) {}
func (w *world) Lost(int, int64)    {}
func (w *world) Lag(shard int, events int64, age time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lags[shard] = lag{events, age}
}
func (w *world) Failed(shard int, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures[shard]++
}

func fromRecord(r outbox.Record) (eventstore.Envelope, error) {
	return eventstore.FromWire(func(name string) string { return r.Headers[name] }, r.Value)
}

// start runs an outbox on the world and returns the function that stops it.
func (w *world) start(t require.TestingT, change func(*outbox.Config)) (stop func()) {
	c := outbox.Config{
		Ledger: w.ledger, Publisher: w, Checkpoints: w, Leadership: w, Tails: w, Metrics: w, Log: quiet(),
	}
	if change != nil {
		change(&c)
	}
	o, err := outbox.New(c)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// requireComplete demands that a consumer which drops what it has seen gets exactly the ledger, without a gap.
func (w *world) requireComplete(t require.TestingT) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for shard, records := range w.partitions {
		seen := int64(0)
		for _, r := range records {
			e, err := fromRecord(r)
			require.NoError(t, err)
			require.Equal(t, shard, e.Shard)
			if w.wiped && seen == 0 && e.Pos > 1 {
				continue // written before it was noticed
			}
			require.LessOrEqual(t, e.Pos, seen+1, "a gap")
			meta, err := e.Meta()
			require.NoError(t, err)
			require.Equal(t, string(meta.Account), r.Key)
			seen = max(seen, e.Pos)
		}
		require.Equal(t, w.versions[shard], seen)
		require.Equal(t, seen, w.checkpoints[shard])
	}
}

func TestEverythingIsPublishedInOrderWhateverFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ testing.TB }{t}, func(r *rapid.T) { // no Deadline: it is not of the bubble
			w := newWorld(r)
			luck := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 50).Draw(r, "luck")
			turn := 0
			next := func() int { turn++; return luck[turn%len(luck)] }
			w.publishFail = func(_ int, records []outbox.Record) (int, error) {
				if next() == 0 {
					return next() % (len(records) + 1), errors.New("the broker is away")
				}
				return len(records), nil
			}
			w.moveFail = func(int) error {
				if next() == 1 {
					return errors.New("the database is away")
				}
				return nil
			}
			for range rapid.IntRange(1, 4).Draw(r, "runs") {
				stop := w.start(r, nil)
				for range rapid.IntRange(0, 5).Draw(r, "appends") {
					w.append(r, rapid.IntRange(0, shards-1).Draw(r, "shard"), rapid.IntRange(1, 700).Draw(r, "events"))
					time.Sleep(time.Duration(rapid.IntRange(0, 500).Draw(r, "ms")) * time.Millisecond)
				}
				stop()
			}
			w.mu.Lock()
			w.publishFail = func(_ int, records []outbox.Record) (int, error) { return len(records), nil }
			w.moveFail = func(int) error { return nil }
			w.mu.Unlock()
			stop := w.start(r, nil)
			time.Sleep(time.Minute)
			stop()
			w.requireComplete(r)
		})
	})
}

func TestAFailingShardHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publishFail = func(shard int, r []outbox.Record) (int, error) {
			if shard == 1 {
				return 0, errors.New("no leader")
			}
			return len(r), nil
		}
		for shard := range shards {
			w.append(t, shard, 10)
		}
		stop := w.start(t, nil)
		time.Sleep(time.Minute)
		w.mu.Lock()
		require.Len(t, w.partitions[0], 10)
		require.Empty(t, w.partitions[1])
		require.Len(t, w.partitions[2], 10)
		require.GreaterOrEqual(t, w.failures[1], 5)
		require.LessOrEqual(t, w.failures[1], 20, "the pauses do not grow")
		require.Equal(t, [shards]lag{1: {10, w.lags[1].age}}, w.lags)
		require.InDelta(t, time.Minute.Seconds(), w.lags[1].age.Seconds(), 1, "it grows while nothing can be published")
		w.publishFail = func(_ int, r []outbox.Record) (int, error) { return len(r), nil }
		w.mu.Unlock()
		time.Sleep(15 * time.Second)
		stop()
		w.requireComplete(t)
		require.Zero(t, w.lags)
	})
}

func TestNewEventsAreFoundSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.start(t, nil)
		time.Sleep(time.Hour) // at rest
		w.append(t, 0, 1)
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		w.requireComplete(t)
		w.append(t, 2, 1) // while it looks more often
		time.Sleep(40 * time.Millisecond)
		synctest.Wait()
		w.requireComplete(t)
		stop()
	})
}

func TestALostTopicIsPublishedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.append(t, 0, 1200)
		w.append(t, 1, 5)
		w.start(t, nil)()
		stop := w.start(t, nil)
		time.Sleep(time.Second)
		stop()
		w.requireComplete(t)
		w.partitions = [shards][]outbox.Record{1: w.partitions[1][:2]}
		stop = w.start(t, nil)
		time.Sleep(time.Second)
		stop()
		w.requireComplete(t)
		require.Len(t, w.partitions[0], 1200)
		require.Len(t, w.partitions[1], 5)
	})
}

// wipe makes partitions as they are after a topic was deleted and created.
func (w *world) wipe() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partitions, w.wiped = [shards][]outbox.Record{}, true
}

func TestATopicThatVanishesWhileTheOutboxRunsIsPublishedAgain(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(t *testing.T, w *world){
		"nothing comes":            func(*testing.T, *world) {},
		"events come at once":      func(t *testing.T, w *world) { w.append(t, 0, 3); w.append(t, 1, 2000) },
		"more come than there was": func(t *testing.T, w *world) { w.append(t, 0, 3000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.append(t, 0, 1200)
				w.append(t, 1, 5)
				stop := w.start(t, nil)
				time.Sleep(time.Second)
				w.wipe()
				next(t, w)
				time.Sleep(10 * time.Second)
				stop()
				w.requireComplete(t)
			})
		})
	}
}

// A topic that was lost while no outbox ran, and went on without its beginning.
func TestATopicWithoutItsBeginningIsPublishedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.append(t, 0, 1200)
		stop := w.start(t, nil)
		time.Sleep(time.Second)
		stop()
		w.partitions[0] = w.partitions[0][700:]
		stop = w.start(t, nil)
		time.Sleep(time.Second)
		stop()
		w.mu.Lock()
		w.partitions[0] = w.partitions[0][500:]
		w.mu.Unlock()
		w.requireComplete(t)
	})
}

func TestATopicOfAnotherLedgerIsNotTouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := newWorld(t)
		other.append(t, 0, 7)
		stop := other.start(t, nil)
		time.Sleep(time.Second)
		stop()
		for name, have := range map[string]struct{ owner, events int }{
			"other events": {owner: 1, events: 9}, "events that were lost": {owner: 0, events: 3},
		} {
			w := newWorld(t)
			w.owner = have.owner
			w.partitions[0] = other.partitions[0]
			w.append(t, 0, have.events)
			w.append(t, 1, 1)
			stop = w.start(t, nil)
			time.Sleep(time.Second)
			stop()
			require.Equal(t, 7, len(w.partitions[0]), name)
			require.Positive(t, w.failures[0], name)
			require.Equal(t, 1, len(w.partitions[1]), name)
		}
	})
}

func TestRepublishRepeatsARangeBesideTheOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.append(t, 0, 1200)
		w.append(t, 1, 3)
		stop := w.start(t, nil)
		time.Sleep(time.Second)
		var left []outbox.Range
		tool := outbox.Republisher{
			Ledger: w.ledger, Publisher: w, Checkpoints: w, Progress: func(r outbox.Range) { left = append(left, r) },
		}
		for _, wrong := range []outbox.Range{
			{Shard: 0, From: 0, To: 1}, {Shard: 0, From: 1, To: 1201}, {Shard: 0, From: 9, To: 7},
			{Shard: shards, From: 1, To: 1},
		} {
			require.Error(t, tool.Run(t.Context(), []outbox.Range{{Shard: 1, From: 1, To: 3}, wrong}))
		}
		require.Empty(t, left, "a call that is refused writes nothing")
		require.NoError(t, tool.Run(t.Context(), []outbox.Range{{Shard: 0, From: 4, To: 1100}}))
		require.Equal(t, outbox.Range{Shard: 0, From: 1101, To: 1100}, left[len(left)-1])
		time.Sleep(10 * time.Second)
		w.append(t, 0, 1)
		time.Sleep(time.Second)
		stop()
		require.Len(t, w.partitions[0], 1200+1097+1, "the outbox does not mind")
		w.requireComplete(t)
		all, err := tool.Published(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, outbox.Range{Shard: 0, From: 1, To: 1201}, all)
	})
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := outbox.New(outbox.Config{Groups: -1})
	require.ErrorContains(t, err, "publisher")
	require.ErrorContains(t, err, "groups")
	require.ErrorContains(t, err, "logger")
}
