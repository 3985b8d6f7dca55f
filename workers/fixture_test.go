package workers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/catalog"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/memory"
	"github.com/pingvas/pingvas/internal/kafkatest"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/dispatch"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/settle"
)

const customer domain.AccountID = "acc_00000000000000000000000001"

const (
	token = "worker-token-of-this-test"
	// waitMax is far above what any step takes; it only turns a hang into a failure.
	waitMax = 30 * time.Second
	tick    = 10 * time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type oneKey struct{}

func (oneKey) Key(context.Context, domain.AccountID) ([]byte, error) {
	return make([]byte, eventstore.DataKeyBytes), nil
}

// chain is everything between a request and its settlement: a ledger in memory, a broker, the internal API and the
// picture store over HTTP, a dispatcher and a settler. Workers are started by the tests.
type chain struct {
	t       *testing.T
	store   *memory.Store
	codec   *eventstore.Codec
	ledger  *commands.Ledger
	cluster *kafka.Cluster
	output  *kafka.Publisher
	server  *httptest.Server

	mu       sync.Mutex
	ahead    time.Duration // how far the ledger's clock is ahead
	lease    time.Duration // what the API says instead of the ledger's lease, if not zero
	objects  map[string][]byte
	outcomes []settle.Outcome
	made     int
}

func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{t: t, objects: map[string][]byte{}}
	var err error
	c.store, err = memory.New(memory.Config{Shards: 4, Now: c.now})
	require.NoError(t, err)
	c.codec, err = eventstore.NewCodec(catalog.Events(), oneKey{})
	require.NoError(t, err)
	c.ledger, err = commands.New(commands.Config{Store: c.store, Codec: c.codec})
	require.NoError(t, err)
	_, err = c.ledger.OpenAccount(t.Context(), c.caller(), commands.OpenAccount{
		Name: "Ada", Grant: "grt_00000000000000000000000001", At: c.now(),
	})
	require.NoError(t, err)
	c.server = httptest.NewServer(c)
	t.Cleanup(c.server.Close)
	c.connect()
	c.run(c.newDispatcher().Run)
	c.run(c.newRouter().Run)
	return c
}

func (c *chain) connect() {
	var err error
	c.cluster, err = kafka.New(kafka.Config{Brokers: kafkatest.Own(c.t), ClientID: "test", Logger: quiet()})
	require.NoError(c.t, err)
	c.t.Cleanup(c.cluster.Close)
	topics := []kafka.TopicSpec{
		{Name: generation.TopicResults, Partitions: 2}, {Name: generation.TopicProgress, Partitions: 1},
		{Name: workers.DeadLetterTopic(generation.TopicResults), Partitions: 1},
	}
	for _, topic := range offerTopics() {
		topics = append(topics, kafka.TopicSpec{Name: topic, Partitions: 2, Compacted: true})
	}
	require.NoError(c.t, kafka.NewAdmin(c.cluster).EnsureTopics(c.t.Context(), topics))
	c.output, err = kafka.NewPublisher(c.cluster, kafka.PublisherConfig{})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, c.output.Close()) })
}

func offerTopics() []string {
	var topics []string
	for _, tier := range domain.Tiers() {
		topics = append(topics, generation.OfferTopic(pricing.PoolGPU, tier))
	}
	return topics
}

// run runs something until the test ends, or the returned function is called.
func (c *chain) run(loop func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(c.t, <-done)
	})
	c.t.Cleanup(stop)
	return stop
}

func (c *chain) broadcast(caughtUp func(string)) (message.Subscriber, error) {
	return kafka.NewSubscriber(c.cluster, kafka.SubscriberConfig{OnCaughtUp: caughtUp})
}

func (c *chain) newDispatcher() *dispatch.Dispatcher {
	d, err := dispatch.New(dispatch.Config{
		Ledger: c.store, Jobs: c, Publisher: c.output, Offers: c.broadcast, Pools: []string{pricing.PoolGPU}, Log: quiet(),
	})
	require.NoError(c.t, err)
	return d
}

func (c *chain) newRouter() *workers.Router {
	settler, err := settle.New(settle.Config{Ledger: c.ledger, Now: c.now, Observe: func(o settle.Outcome) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outcomes = append(c.outcomes, o)
	}})
	require.NoError(c.t, err)
	results, err := kafka.NewSubscriber(c.cluster, kafka.SubscriberConfig{
		Group: settle.Group, RetryMin: tick, RetryMax: tick, HeartbeatInterval: 50 * time.Millisecond,
	})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, results.Close()) })
	router, err := workers.NewRouter(workers.Config{DeadLetters: c.output, Log: quiet()})
	require.NoError(c.t, err)
	require.NoError(c.t, router.Add(settler.Handler(results)))
	return router
}

// startWorker starts a worker with this engine.
func (c *chain) startWorker(name string, e generate.Engine, change func(*generate.Config)) (stop func()) {
	service, err := generate.NewService(generate.ServiceConfig{BaseURL: c.server.URL, Token: token})
	require.NoError(c.t, err)
	cfg := generate.Config{
		Worker: name, Pool: pricing.PoolGPU, Engine: e, Claims: service, Offers: c.broadcast, Publisher: c.output,
		Uploads: c.server.Client(), Log: quiet(),
	}
	if change != nil {
		change(&cfg)
	}
	w, err := generate.New(cfg)
	require.NoError(c.t, err)
	return c.run(w.Run)
}

func (c *chain) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead).UTC()
}

// skip moves the ledger's clock.
func (c *chain) skip(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func (c *chain) caller() commands.Caller { return commands.Caller{Account: customer, Actor: "test"} }

// request asks for two pictures.
func (c *chain) request() domain.GenerationID {
	c.made++
	id := domain.GenerationID(fmt.Sprintf("gen_%026d", c.made))
	_, err := c.ledger.RequestGeneration(c.t.Context(), c.caller(), commands.RequestGeneration{
		Generation: id, Reservation: domain.ReservationID(fmt.Sprintf("res_%026d", c.made)), At: c.now(),
		Spec: generation.Spec{
			Terms: pricing.Terms{
				Operation: pricing.OperationTextToImage, Model: "flux-schnell", Width: 1024, Height: 1024, Steps: 4, Count: 2,
			},
			Prompt: "a lighthouse", Scheduler: "euler", Seed: 7,
		},
	})
	require.NoError(c.t, err)
	return id
}

// states folds all generations.
func (c *chain) states(ctx context.Context) (map[domain.GenerationID]generation.State, []int64, error) {
	states, positions := map[domain.GenerationID]generation.State{}, make([]int64, c.store.Shards())
	for shard := range positions {
		page, err := c.store.ReadShard(ctx, shard, 0, eventstore.ReadMax)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range page {
			positions[shard] = e.Pos
			id, ok := strings.CutPrefix(e.Stream, "generation-")
			if !ok {
				continue
			}
			event, err := c.codec.Decode(ctx, e)
			if err != nil {
				return nil, nil, err
			}
			states[domain.GenerationID(id)] = generation.Evolve(states[domain.GenerationID(id)], event)
		}
	}
	return states, positions, nil
}

func (c *chain) state(id domain.GenerationID) generation.State {
	states, _, err := c.states(c.t.Context())
	require.NoError(c.t, err)
	return states[id]
}

func (c *chain) awaitStatus(id domain.GenerationID, want generation.Status) generation.State {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.state(id).Status == want }, waitMax, tick, "%s is %s", id, want)
	return c.state(id)
}

func (c *chain) awaitOutcome(want settle.Outcome) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.Contains(c.outcomes, want)
	}, waitMax, tick, "settled as %s", want)
}

func (c *chain) heads() []eventstore.Head {
	heads, err := c.store.Heads(c.t.Context())
	require.NoError(c.t, err)
	return heads
}

// OpenJobs implements dispatch.Jobs.
func (c *chain) OpenJobs(ctx context.Context) ([]dispatch.Job, []int64, error) {
	states, positions, err := c.states(ctx)
	var jobs []dispatch.Job
	for id, s := range states {
		if s.Status.Final() {
			continue
		}
		jobs = append(jobs, dispatch.Job{Running: s.Status == generation.StatusRunning, Offer: generation.Offer{
			Generation: id, Account: eventstore.HashAccount(s.Request.Account).String(), Pool: s.Request.Pool,
			Tier: s.Request.Tier, Model: s.Request.Spec.Model, Attempt: s.Attempt,
			EstimateMillis: s.Request.EstimateMillis, Enqueued: s.Request.At,
		}})
	}
	return jobs, positions, err
}

// Due implements cleanup.Schedule, and shows more than is due.
func (c *chain) Due(ctx context.Context, _ time.Time) (cleanup.Due, error) {
	states, _, err := c.states(ctx)
	var due cleanup.Due
	for id := range states {
		due.Leases = append(due.Leases, cleanup.DueJob{Generation: id, Account: customer})
		due.Deadlines = append(due.Deadlines, cleanup.DueJob{Generation: id, Account: customer})
	}
	due.Accounts = append(due.Accounts, customer)
	return due, err
}

func (c *chain) sweep() {
	s, err := cleanup.New(cleanup.Config{Schedule: c, Ledger: c.ledger, Now: c.now, Log: quiet()})
	require.NoError(c.t, err)
	require.NoError(c.t, s.Sweep(c.t.Context()))
}

// ServeHTTP is the internal API and the picture store.
func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	key, isObject := strings.CutPrefix(r.URL.Path, "/objects/")
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case isObject && r.Method == http.MethodPut && r.Header.Get("X-Signed") == key:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.objects[key] = body
	case r.Header.Get("Authorization") != "Bearer "+token || r.Method != http.MethodPost:
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/internal/claims":
		c.answer(w, r, body, c.claim)
	case strings.HasSuffix(r.URL.Path, "/lease"):
		c.answer(w, r, body, c.extend)
	case strings.HasSuffix(r.URL.Path, "/hand-back"):
		c.answer(w, r, body, c.handBack)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *chain) answer(
	w http.ResponseWriter, r *http.Request, body []byte, do func(*http.Request, []byte) (any, error),
) {
	answer, err := do(r, body)
	switch {
	case err != nil:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		answer = map[string]any{"code": domain.CodeOf(err), "title": "no", "status": http.StatusConflict}
	case answer == nil:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (c *chain) claim(r *http.Request, body []byte) (any, error) {
	var in struct {
		Worker, Pool string
		Candidates   []struct {
			Generation domain.GenerationID
			Account    string `json:"account_hash"`
		}
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	command := commands.ClaimGeneration{Worker: in.Worker, Pool: in.Pool, At: c.now()}
	for _, candidate := range in.Candidates {
		hash, err := eventstore.ParseAccountHash(candidate.Account)
		if err != nil {
			return nil, err
		}
		command.Candidates = append(command.Candidates, commands.Candidate{Generation: candidate.Generation, Account: hash})
	}
	claim, ok, err := c.ledger.ClaimGeneration(r.Context(), commands.Caller{Actor: in.Worker}, command)
	if err != nil || !ok {
		return map[string]any{"job": nil}, err
	}
	var uploads []map[string]any
	for i := range claim.Spec.Count {
		key := generation.ObjectKey(claim.Account, claim.Generation, claim.Attempt, i)
		small := generation.ThumbnailKey(claim.Account, claim.Generation, claim.Attempt, i)
		uploads = append(uploads, map[string]any{
			"key": key, "url": c.server.URL + "/objects/" + key, "headers": map[string]string{"X-Signed": key},
			"thumbnail_key": small, "thumbnail_url": c.server.URL + "/objects/" + small,
			"thumbnail_headers": map[string]string{"X-Signed": small},
		})
	}
	return map[string]any{"job": map[string]any{
		"generation": claim.Generation, "account_hash": eventstore.HashAccount(claim.Account).String(),
		"attempt": claim.Attempt, "spec": claim.Spec, "estimate_ms": claim.Estimate.Milliseconds(),
		"lease_until": c.told(claim.LeaseUntil), "requested_at": claim.At, "uploads": uploads,
	}}, nil
}

// told is what the API says of a lease.
func (c *chain) told(until time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lease != 0 {
		return time.Now().Add(c.lease)
	}
	return until
}

func (c *chain) fence(r *http.Request, body []byte) (id domain.GenerationID, attempt int, cause string, err error) {
	var in struct {
		Account string `json:"account_hash"`
		Attempt int    `json:"attempt"`
		Cause   string `json:"cause"`
	}
	err = json.Unmarshal(body, &in)
	if err == nil && in.Account != eventstore.HashAccount(customer).String() {
		err = fmt.Errorf("account %s", in.Account)
	}
	return domain.GenerationID(strings.Split(r.URL.Path, "/")[3]), in.Attempt, in.Cause, err
}

func (c *chain) extend(r *http.Request, body []byte) (any, error) {
	id, attempt, _, err := c.fence(r, body)
	if err != nil {
		return nil, err
	}
	until, err := c.ledger.ExtendLease(r.Context(), c.caller(), id, attempt, c.now())
	return map[string]any{"lease_until": c.told(until)}, err
}

func (c *chain) handBack(r *http.Request, body []byte) (any, error) {
	id, attempt, cause, err := c.fence(r, body)
	if err != nil {
		return nil, err
	}
	_, err = c.ledger.HandBackGeneration(r.Context(), c.caller(), id, generation.HandBack{
		Attempt: attempt, Cause: cause, At: c.now(),
	})
	return nil, err
}

// brush is an engine that the test holds: it draws when it is let.
type brush struct {
	started chan generate.Job // gets every job that begins
	stopped chan error        // gets why a job was stopped
	let     chan error        // nil draws, an error fails
	before  generate.Progress // reported before it waits
}

func newBrush() *brush {
	return &brush{started: make(chan generate.Job, 9), stopped: make(chan error, 9), let: make(chan error, 9)}
}

func (*brush) Describe(context.Context) (generate.Description, error) {
	return generate.Description{Name: "brush", Version: "1", Models: []string{"flux-schnell"}}, nil
}

func (*brush) Forget(context.Context, string, int) error { return nil }

func (b *brush) Generate(
	ctx context.Context, job generate.Job, report func(generate.Progress),
) (generate.Output, error) {
	b.started <- job
	report(b.before)
	select {
	case <-ctx.Done():
		b.stopped <- ctx.Err()
		return generate.Output{}, ctx.Err()
	case err := <-b.let:
		if err != nil {
			return generate.Output{}, err
		}
	}
	out := generate.Output{GPUTime: 1500 * time.Millisecond, Engine: "brush", Version: "1"}
	for i := range job.Request.Count {
		var file bytes.Buffer
		if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 512, 256))); err != nil {
			return generate.Output{}, err
		}
		out.Images = append(out.Images, generate.Image{
			PNG: file.Bytes(), Seed: job.Request.Seed + uint32(i), Width: 512, Height: 256,
		})
	}
	return out, nil
}

func await[T any](t *testing.T, what string, signal <-chan T) T {
	t.Helper()
	select {
	case v := <-signal:
		return v
	case <-time.After(waitMax):
		require.FailNow(t, "did not happen: "+what)
		panic("unreachable")
	}
}
