package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/dispatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account domain.AccountID = "acc_00000000000000000000000001"

// world is a ledger of one shard, its view and its topics, in memory.
type world struct {
	mu      sync.Mutex
	events  []eventstore.Envelope
	head    int64 // what polling sees
	topics  map[string]map[string]*message.Message
	refuse  int // how many calls of Publish will fail
	feed    chan []eventstore.Envelope
	written int
}

func newWorld() *world {
	return &world{topics: map[string]map[string]*message.Message{}, feed: make(chan []eventstore.Envelope)}
}

// add appends events and returns their envelopes.
func (w *world) add(t *testing.T, events ...domain.Event) []eventstore.Envelope {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		data, err := json.Marshal(e)
		require.NoError(t, err)
		w.events = append(w.events, eventstore.Envelope{Pos: int64(len(w.events) + 1), Type: e.EventName(), Data: data})
	}
	return w.events[len(w.events)-len(events):]
}

// show lets polling see everything.
func (w *world) show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.head = int64(len(w.events))
}

func (*world) Shards() int { return 1 }

func (w *world) ReadShard(_ context.Context, _ int, after int64, limit int) ([]eventstore.Envelope, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[after:min(int64(len(w.events)), after+int64(limit))], nil
}

func (w *world) Heads(context.Context) ([]eventstore.Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return []eventstore.Head{{Pos: w.head}}, nil
}

// OpenJobs is a view that has seen nothing yet.
func (*world) OpenJobs(context.Context) ([]dispatch.Job, []int64, error) { return nil, []int64{0}, nil }

func (w *world) Follow(ctx context.Context, handle func(context.Context, []eventstore.Envelope) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case batch := <-w.feed:
			if err := handle(ctx, batch); err != nil {
				return err
			}
		}
	}
}

func (w *world) Publish(topic string, messages ...*message.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse > 0 {
		w.refuse--
		return errors.New("no broker")
	}
	for _, msg := range messages {
		if w.topics[topic] == nil {
			w.topics[topic] = map[string]*message.Message{}
		}
		w.topics[topic][msg.Metadata.Get(workers.MetadataKey)] = msg
		w.written++
	}
	return nil
}

func (*world) Close() error { return nil }

func (w *world) subscribe(caughtUp func(string)) (message.Subscriber, error) {
	return subscriber{w, caughtUp}, nil
}

type subscriber struct {
	w        *world
	caughtUp func(string)
}

func (s subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var all []*message.Message
	for _, msg := range s.w.topics[topic] {
		all = append(all, msg.Copy())
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for _, msg := range all {
			out <- msg
			<-msg.Acked()
		}
		s.caughtUp(topic)
		<-ctx.Done()
	}()
	return out, nil
}

func (subscriber) Close() error { return nil }

// offered returns the attempts of the open offers.
func (w *world) offered(t *testing.T) map[string]int {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	attempts := map[string]int{}
	for _, keys := range w.topics {
		for key, msg := range keys {
			if len(msg.Payload) == 0 {
				continue
			}
			var o generation.Offer
			require.NoError(t, json.Unmarshal(msg.Payload, &o))
			attempts[key] = o.Attempt
		}
	}
	return attempts
}

// run runs a dispatcher until the returned function is called.
func (w *world) run(t *testing.T, feed dispatch.Feed) (stop func()) {
	t.Helper()
	d, err := dispatch.New(dispatch.Config{
		Ledger: w, Jobs: w, Publisher: w, Offers: w.subscribe, Pools: []string{"gpu"}, Feed: feed,
		Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

func requested(id domain.GenerationID, pool string) generation.Requested {
	return generation.Requested{
		Generation: id, Account: account, Pool: pool, Tier: domain.TierPro,
		Spec: generation.Spec{Terms: pricing.Terms{Model: "m"}, Prompt: "sealed"},
	}
}

// A replica may show a head before the events up to it. Asking again without a pause would never end.
func TestAHeadWithoutItsEventsIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.head = 1
		defer w.run(t, nil)()
		time.Sleep(time.Second)
		w.add(t, requested("g1", "gpu"))
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"g1": 1}, w.offered(t))
	})
}

func TestTheFeedIsFollowedAndItsGapsAreFilledByPolling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t, w)()
		first := w.add(t, requested("g1", "gpu"))
		w.feed <- first
		w.feed <- first
		synctest.Wait()
		require.Equal(t, map[string]int{"g1": 1}, w.offered(t))
		require.Equal(t, 1, w.written)

		w.add(t, generation.Claimed{Generation: "g1", Attempt: 1})
		w.feed <- w.add(t, requested("g2", "gpu"))
		synctest.Wait()
		require.Equal(t, map[string]int{"g1": 1}, w.offered(t), "what comes after a gap waits")
		w.show()
		time.Sleep(time.Second)
		require.Equal(t, map[string]int{"g2": 1}, w.offered(t))
		w.feed <- w.add(t, generation.Requeued{Generation: "g1", Attempt: 2}, generation.Cancelled{Generation: "g2"})
		synctest.Wait()
		require.Equal(t, map[string]int{"g1": 2}, w.offered(t))
	})
}

func TestTroubleWithTheBrokerLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t, w)()
		w.add(t, requested("g1", "gpu"), requested("g2", "gpu"))
		w.show()
		time.Sleep(time.Second)
		w.mu.Lock()
		w.refuse = 3
		w.mu.Unlock()
		w.feed <- w.add(t, generation.Cancelled{Generation: "g1"})
		w.show()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Zero(t, w.refuse)
		require.Equal(t, map[string]int{"g2": 1}, w.offered(t))
	})
}

func TestLostOffersAreMadeAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t, nil)()
		w.add(t, requested("g1", "gpu"), requested("g2", "nobody's"))
		w.show()
		time.Sleep(time.Second)
		require.Equal(t, map[string]int{"g1": 1}, w.offered(t), "a pool without topics holds nobody up")
		w.mu.Lock()
		clear(w.topics)
		w.mu.Unlock()
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"g1": 1}, w.offered(t))
	})
}

// A dispatcher may be frozen before it says what it knows, and end after it has said so, long after another has taken
// over and the job has ended.
func TestAnOfferThatCameLateIsWithdrawnAfterAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.run(t, nil)()
		w.add(t, requested("g1", "gpu"), requested("g2", "gpu"))
		w.show()
		time.Sleep(time.Second)
		var late *message.Message
		w.mu.Lock()
		for _, keys := range w.topics {
			late = keys["g1"]
		}
		w.mu.Unlock()
		w.add(t, generation.Cancelled{Generation: "g1"})
		w.show()
		time.Sleep(time.Second)
		require.Equal(t, map[string]int{"g2": 1}, w.offered(t))
		require.NoError(t, w.Publish(generation.OfferTopic("gpu", domain.TierPro), late))
		time.Sleep(time.Minute)
		require.Equal(t, map[string]int{"g2": 1}, w.offered(t))
	})
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := dispatch.New(dispatch.Config{})
	require.ErrorContains(t, err, "ledger")
	require.ErrorContains(t, err, "pools")
	require.ErrorContains(t, err, "logger")
}
