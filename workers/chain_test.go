package workers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/settle"
)

func TestAJobIsDoneOnceAndARepeatedResultChangesNothing(t *testing.T) {
	t.Parallel()
	c, b := newChain(t), newBrush()
	results, progress := c.follow(generation.TopicResults), c.follow(generation.TopicProgress)
	c.startWorker("w1", b, nil)
	id := c.request()
	b.before = generate.Progress{Stage: "denoising", Images: 2, Fraction: 0.5, Preview: []byte("jpeg")}
	job := await(t, "the engine starts", b.started)
	require.Equal(t, "a lighthouse", job.Request.Prompt)
	require.Equal(t, string(id), job.ID)

	var frame generation.Progress
	require.NoError(t, json.Unmarshal(await(t, "progress", progress).Payload, &frame))
	require.Equal(t, id, frame.Generation)

	b.let <- nil
	done := c.awaitStatus(id, generation.StatusSucceeded)
	require.Len(t, done.Images, 2)
	for i, image := range done.Images {
		file := c.object(image.Key)
		sum := sha256.Sum256(file)
		require.Equal(t, generation.ObjectKey(customer, id, 1, i), image.Key)
		require.Equal(t, hex.EncodeToString(sum[:]), image.SHA256)
		require.Equal(t, int64(len(file)), image.Bytes)
		require.Contains(t, string(file), "pingvas:generation")
		require.Equal(t, uint32(7+i), image.Seed)
		require.NotEmpty(t, c.object(image.ThumbnailKey))
	}

	heads, result := c.heads(), await(t, "the result", results)
	for range 3 {
		again := message.NewMessage(result.UUID, result.Payload)
		again.Metadata.Set(workers.MetadataKey, string(id))
		require.NoError(t, c.output.Publish(generation.TopicResults, again))
	}
	c.awaitOutcome(settle.OutcomeStale)
	require.Equal(t, heads, c.heads())
}

func TestALostWorkerIsReplacedWhenItsLeaseHasRunOut(t *testing.T) {
	t.Parallel()
	c, first, second := newChain(t), newBrush(), newBrush()
	kill := c.startWorker("w1", first, func(cfg *generate.Config) {
		cfg.Claims, cfg.Grace = mute{cfg.Claims}, time.Millisecond
	})
	id := c.request()
	require.Equal(t, 1, await(t, "the first engine starts", first.started).Attempt)
	c.sweep() // the lease holds, so nothing happens
	require.Equal(t, generation.StatusRunning, c.state(id).Status)

	kill()
	require.Equal(t, generation.StatusRunning, c.state(id).Status)
	c.skip(10 * time.Minute)
	c.sweep()
	require.Equal(t, 2, c.state(id).Attempt)

	c.startWorker("w2", second, nil)
	require.Equal(t, 2, await(t, "the second engine starts", second.started).Attempt)
	c.publishResult(generation.Result{
		Generation: id, Attempt: 1, Worker: "w1", Failure: &generation.Failure{Cause: "late"},
	})
	c.awaitOutcome(settle.OutcomeStale)
	require.Equal(t, generation.StatusRunning, c.state(id).Status)
	second.let <- nil
	done := c.awaitStatus(id, generation.StatusSucceeded)
	require.Equal(t, generation.ObjectKey(customer, id, 2, 0), done.Images[0].Key)
}

func TestCancellingStopsTheEngine(t *testing.T) {
	t.Parallel()
	c, b := newChain(t), newBrush()
	c.lease = 900 * time.Millisecond
	outcomes := make(chan generate.Outcome, 9)
	c.startWorker("w1", b, func(cfg *generate.Config) {
		cfg.Observe = func(o generate.Outcome, _ time.Duration) { outcomes <- o }
	})
	id := c.request()
	await(t, "the engine starts", b.started)
	_, err := c.ledger.CancelGeneration(t.Context(), c.caller(), id, nil, c.now())
	require.NoError(t, err)
	require.ErrorIs(t, await(t, "the engine stops", b.stopped), context.Canceled)
	require.Equal(t, generate.OutcomeLost, await(t, "the attempt ends", outcomes))
	require.Equal(t, generation.StatusCancelled, c.state(id).Status)
	c.request()
	await(t, "the slot is free again", b.started)
	b.let <- nil
}

func TestAFailureThatMayPassIsTriedAgainAndAFinalOneIsNot(t *testing.T) {
	t.Parallel()
	c, b := newChain(t), newBrush()
	c.startWorker("w1", b, nil)
	id := c.request()
	await(t, "the engine starts", b.started)
	b.let <- &generate.EngineError{Class: generate.ClassOutOfMemory}
	require.Equal(t, 2, await(t, "the engine starts again", b.started).Attempt)
	b.let <- &generate.EngineError{Class: generate.ClassModerated}
	require.Equal(t, "moderated", c.awaitStatus(id, generation.StatusBlocked).Cause)
}

func TestShutdownHandsLongJobsBackAndFinishesShortOnes(t *testing.T) {
	t.Parallel()
	c, long, short := newChain(t), newBrush(), newBrush()
	stop := c.startWorker("w1", long, func(cfg *generate.Config) { cfg.Grace = time.Millisecond })
	id := c.request()
	await(t, "the engine starts", long.started)
	stop()
	require.Equal(t, 2, c.state(id).Attempt)
	require.Equal(t, generation.StatusQueued, c.state(id).Status)

	draining := make(chan struct{})
	short.before = generate.Progress{Fraction: 0.99}
	stop = c.startWorker("w2", short, func(cfg *generate.Config) { cfg.Draining = draining })
	await(t, "the second engine starts", short.started)
	later := c.request()
	close(draining)
	short.let <- nil
	c.awaitStatus(id, generation.StatusSucceeded)
	stop()
	require.Equal(t, generation.StatusQueued, c.state(later).Status)
}

func TestAResultThatNobodyCanHaveMeantIsADeadLetter(t *testing.T) {
	t.Parallel()
	c, b := newChain(t), newBrush()
	letters := c.follow(workers.DeadLetterTopic(generation.TopicResults))
	c.startWorker("w1", b, nil)
	id := c.request()
	await(t, "the engine starts", b.started)
	heads := c.heads()
	garbage := workers.Tombstone("x")
	garbage.Payload = []byte("{")
	require.NoError(t, c.output.Publish(generation.TopicResults, garbage))
	await(t, "the first letter", letters)
	c.publishResult(generation.Result{Generation: id, Attempt: 1, Worker: "w1", Images: []generation.Image{{
		Image: domain.NewImageID(id, 0), Key: generation.ObjectKey("acc_00000000000000000000000002", id, 1, 0),
		ThumbnailKey: generation.ThumbnailKey(customer, id, 1, 0), ContentType: "image/png", Bytes: 1, Width: 1, Height: 1,
		SHA256: hex.EncodeToString(make([]byte, sha256.Size)),
	}}})
	letter := await(t, "the second letter", letters)
	require.Contains(t, letter.Metadata.Get(kafka.HeaderDeadLetterError), "another's place")
	require.Equal(t, generation.TopicResults, letter.Metadata.Get(kafka.HeaderDeadLetterTopic))
	require.Equal(t, "settle", letter.Metadata.Get(kafka.HeaderDeadLetterHandler))
	require.Equal(t, "1", letter.Metadata.Get(kafka.HeaderDeadLetterAttempts))
	require.NotEmpty(t, letter.Metadata.Get(kafka.HeaderDeadLetterPartition))
	require.NotEmpty(t, letter.Metadata.Get(kafka.HeaderDeadLetterOffset))
	require.Equal(t, heads, c.heads())
	b.let <- nil
	c.awaitStatus(id, generation.StatusSucceeded)
}

func TestADispatcherThatStartsMakesTheTopicsTrue(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	first := c.request()
	require.Eventually(t, func() bool { return c.offered(first) }, waitMax, tick)
	// What a dispatcher said that is gone, and what the topics have lost.
	wrong, err := workers.NewMessage("gen_00000000000000000000000099", generation.Offer{
		Generation: "gen_00000000000000000000000099", Tier: domain.TierPro, Model: "m",
	})
	require.NoError(t, err)
	require.NoError(t, c.output.Publish(generation.OfferTopic("gpu", domain.TierPro), wrong))
	tier := c.state(first).Request.Tier
	require.NoError(t, c.output.Publish(generation.OfferTopic("gpu", tier), workers.Tombstone(string(first))))
	require.False(t, c.offered(first))
	require.True(t, c.offered("gen_00000000000000000000000099"))

	c.run(c.newDispatcher().Run)
	require.Eventually(t, func() bool {
		return c.offered(first) && !c.offered("gen_00000000000000000000000099")
	}, waitMax, tick)
}

func TestTheContractWithTheKafkaAdapter(t *testing.T) {
	t.Parallel()
	require.Equal(t, kafka.MetadataKey, workers.MetadataKey)
	require.Equal(t, kafka.DeadLetterTopic("x"), workers.DeadLetterTopic("x"))
	require.Equal(t, kafka.HeaderDeadLetterTopic, workers.HeaderDeadLetterTopic)
	require.Equal(t, kafka.HeaderDeadLetterPartition, workers.HeaderDeadLetterPartition)
	require.Equal(t, kafka.HeaderDeadLetterOffset, workers.HeaderDeadLetterOffset)
	require.Equal(t, kafka.HeaderDeadLetterError, workers.HeaderDeadLetterError)
	require.Equal(t, kafka.HeaderDeadLetterAttempts, workers.HeaderDeadLetterAttempts)
	require.Equal(t, kafka.HeaderDeadLetterHandler, workers.HeaderDeadLetterHandler)
}

// follow delivers what comes to a topic, and what is there.
func (c *chain) follow(topic string) <-chan *message.Message {
	subscriber, err := kafka.NewSubscriber(c.cluster, kafka.SubscriberConfig{})
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, subscriber.Close()) })
	messages, err := subscriber.Subscribe(c.t.Context(), topic)
	require.NoError(c.t, err)
	out := make(chan *message.Message, 100)
	go func() {
		for msg := range messages {
			out <- msg.Copy()
			msg.Ack()
		}
	}()
	return out
}

func (c *chain) publishResult(r generation.Result) {
	r.Account, r.At = eventstore.HashAccount(customer).String(), time.Now()
	msg, err := workers.NewMessage(string(r.Generation), r)
	require.NoError(c.t, err)
	require.NoError(c.t, c.output.Publish(generation.TopicResults, msg))
}

func (c *chain) object(key string) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	require.Contains(c.t, slices.Collect(maps.Keys(c.objects)), key)
	return c.objects[key]
}

// mute is what the API is to a worker that was killed: nobody hears its last words.
type mute struct{ generate.Claims }

func (mute) HandBack(context.Context, generate.Fence, string) error {
	return domain.Errorf(domain.CodeNotFound, "nobody heard")
}

// rows is a workers.Table.
type rows struct {
	mu   sync.Mutex
	keys map[string]bool
	done func()
}

func (r *rows) Put(_, key string, _ []byte) { r.set(key, true) }
func (r *rows) Delete(_, key string)        { r.set(key, false) }
func (r *rows) CaughtUp()                   { r.done() }

func (r *rows) set(key string, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[key] = is
}

// offered reads all topics of offers anew.
func (c *chain) offered(id domain.GenerationID) bool {
	ctx, done := context.WithTimeout(c.t.Context(), waitMax)
	defer done()
	r := &rows{keys: map[string]bool{}, done: done}
	require.NoError(c.t, workers.Follow(ctx, c.broadcast, offerTopics(), r))
	return r.keys[string(id)]
}
