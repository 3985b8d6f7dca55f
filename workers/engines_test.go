package workers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/invokeai"
	"github.com/pingvas/pingvas/adapters/invokefake"
	"github.com/pingvas/pingvas/adapters/sketch"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers/generate"
)

// engines are those that the jobs of a customer are done with, each slow enough to be stopped in the middle. pace is
// the time of a step.
func engines(pace time.Duration) map[string]func(t *testing.T) generate.Engine {
	return map[string]func(t *testing.T) generate.Engine{
		"sketch": func(t *testing.T) generate.Engine {
			e, err := sketch.New(sketch.Config{Models: []string{"flux-schnell"}, Pace: pace})
			require.NoError(t, err)
			return e
		},
		"invokeai": func(t *testing.T) generate.Engine {
			_, e := imageServer(t, pace)
			return e
		},
	}
}

func imageServer(t *testing.T, step time.Duration) (*invokefake.Server, *invokeai.Engine) {
	t.Helper()
	fake, err := invokefake.New(invokefake.Config{Step: step})
	require.NoError(t, err)
	web := httptest.NewServer(fake)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		fake.Close()
		web.Close()
	})
	e, err := invokeai.New(invokeai.Config{
		URL: web.URL, Models: map[string]string{"flux-schnell": "flux-schnell"}, Poll: tick, Client: client, Log: quiet(),
	})
	require.NoError(t, err)
	return fake, e
}

// begun tells when an engine has begun with a job.
type begun struct {
	generate.Engine
	started chan generate.Job
}

func watched(e generate.Engine) begun { return begun{e, make(chan generate.Job, 9)} }

func (b begun) Generate(
	ctx context.Context, job generate.Job, report func(generate.Progress),
) (generate.Output, error) {
	b.started <- job
	return b.Engine.Generate(ctx, job, report)
}

func TestEveryEngineDoesTheJobs(t *testing.T) {
	t.Parallel()
	for name, open := range engines(time.Millisecond) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			c.startWorker("w1", open(t), nil)
			done := c.awaitStatus(c.request(), generation.StatusSucceeded)
			require.Len(t, done.Images, 2)
			file := string(c.object(done.Images[1].Key))
			require.Contains(t, file, "pingvas:engine")
			require.NotContains(t, file, "invokeai_graph")
		})
	}
}

func TestEveryEngineStopsForACancellationAndAShutdown(t *testing.T) {
	t.Parallel()
	for name, open := range engines(time.Second) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, e := newChain(t), watched(open(t))
			c.lease = 900 * time.Millisecond
			outcomes := make(chan generate.Outcome, 9)
			stop := c.startWorker("w1", e, func(cfg *generate.Config) {
				cfg.Grace = time.Millisecond
				cfg.Observe = func(o generate.Outcome, _ time.Duration) { outcomes <- o }
			})
			id := c.request()
			await(t, "the engine starts", e.started)
			_, err := c.ledger.CancelGeneration(t.Context(), c.caller(), id, nil, c.now())
			require.NoError(t, err)
			require.Equal(t, generate.OutcomeLost, await(t, "the attempt ends", outcomes))

			id = c.request()
			await(t, "the slot is free again", e.started)
			stop()
			require.Equal(t, generate.OutcomeHandedBack, await(t, "the attempt ends", outcomes))
			require.Equal(t, 2, c.state(id).Attempt)
			require.Equal(t, generation.StatusQueued, c.state(id).Status)
		})
	}
}

// Each fault that another attempt mends costs an attempt and nothing else.
func TestFaultsOfTheImageServerAreMendedByAnotherAttempt(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]invokefake.Faults{
		"out of memory": {FailWith: "OutOfMemoryError", FailItems: 1}, "unknown": {FailWith: "KeyError", FailItems: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			fake, e := imageServer(t, time.Millisecond)
			fake.SetFaults(faults)
			c.startWorker("w1", e, nil)
			done := c.awaitStatus(c.request(), generation.StatusSucceeded)
			require.Equal(t, 2, done.Attempt)
			require.Eventually(t, func() bool { return fake.Items() == 0 && fake.Images() == 0 }, waitMax, tick)
		})
	}
}

func TestARestartOfTheImageServerIsNoEndOfAJob(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	fake, engine := imageServer(t, 50*time.Millisecond)
	e := watched(engine)
	c.startWorker("w1", e, nil)
	id := c.request()
	await(t, "the engine starts", e.started)
	require.Eventually(t, func() bool { return !fake.MarksOf(string(id)).Started.IsZero() }, waitMax, tick)
	fake.Restart(false)
	require.Equal(t, 2, c.awaitStatus(id, generation.StatusSucceeded).Attempt)
}
