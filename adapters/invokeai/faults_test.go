package invokeai_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/adapters/invokeai"
	"github.com/pingvas/pingvas/adapters/invokefake"
	"github.com/pingvas/pingvas/workers/generate"
	"github.com/pingvas/pingvas/workers/generate/enginetest"
)

const (
	routeEnqueue = "POST /api/v1/queue/default/enqueue_batch"
	routeEmpty   = "POST /api/v2/models/empty_model_cache"
	waitMax      = 20 * time.Second
	tick         = 2 * time.Millisecond
)

func ignore(generate.Progress) {}

func job(name string, change func(*generate.Request)) generate.Job {
	r := sdxl().Request()
	if change != nil {
		change(&r)
	}
	return generate.Job{ID: name, Attempt: 1, Request: r}
}

// long makes a job that does not end by itself within a test.
func long(r *generate.Request) { r.Steps, r.Count = 1000, 3 }

func requireClass(t *testing.T, want generate.Class, err error) {
	t.Helper()
	var failure *generate.EngineError
	require.True(t, errors.As(err, &failure), "%v", err)
	require.Equal(t, want, failure.Class, "%v", err)
	require.NotContains(t, err.Error(), "lighthouse", "no error holds the prompt")
}

// begin starts a job and returns when the server works on it.
func (b *bench) begin(t *testing.T, ctx context.Context, j generate.Job) chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := b.Generate(ctx, j, ignore)
		ended <- err
	}()
	require.Eventually(t, func() bool { return !b.fake.MarksOf(j.ID).Started.IsZero() }, waitMax, tick)
	return ended
}

func await(t *testing.T, ended chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(waitMax):
		require.Fail(t, "the job does not end")
		return nil
	}
}

func TestGoodDaysAndOddAnswers(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]invokefake.Faults{
		"201 instead of 200":   {Created: true},
		"the answer is lost":   {LoseAnswers: 1},
		"no events":            {Silent: true},
		"no socket":            {NoSocket: true},
		"a socket that breaks": {BreakSocket: 2},
		"pictures are moved":   {ImageConflicts: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, fakeConfig(), nil)
			b.fake.SetFaults(faults)
			out, err := b.Generate(t.Context(), job("gen_odd", func(r *generate.Request) { r.Count = 2 }), ignore)
			require.NoError(t, err)
			require.Len(t, out.Images, 2)
			require.Equal(t, 1, b.fake.Calls(routeEnqueue))
			require.Equal(t, 2, b.fake.Items())
		})
	}
}

func failing(kind string) invokefake.Faults { return invokefake.Faults{FailWith: kind, FailItems: 1} }

// TestFailuresHaveTheirClass holds what each failure means for the job, and that none leaves work behind.
func TestFailuresHaveTheirClass(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults invokefake.Faults
		class  generate.Class
	}{
		"the queue is full":   {invokefake.Faults{QueueRoom: 1}, generate.ClassUnavailable},
		"out of memory":       {failing("OutOfMemoryError"), generate.ClassOutOfMemory},
		"older out of memory": {failing("torch.cuda.OutOfMemoryError"), generate.ClassOutOfMemory},
		"a model is gone":     {failing("UnknownModelException"), generate.ClassModelMissing},
		"a prompt it hates":   {failing("ParseException"), generate.ClassInvalid},
		"a graph it hates":    {invokefake.Faults{RefuseBatches: 1}, generate.ClassInvalid},
		"anything else":       {failing("ZeroDivisionError"), generate.ClassUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t, fakeConfig(), nil)
			b.fake.SetFaults(c.faults)
			_, err := b.Generate(t.Context(), job("gen_bad", func(r *generate.Request) { r.Count = 3 }), ignore)
			requireClass(t, c.class, err)
			b.fake.SetFaults(invokefake.Faults{})
			require.Equal(t, b2i(c.class == generate.ClassOutOfMemory), b.fake.Calls(routeEmpty))
			require.NoError(t, b.Forget(t.Context(), "gen_bad", 1))
			require.Zero(t, b.fake.Items())
			require.Zero(t, b.fake.Images())
			_, err = b.Generate(t.Context(), job("gen_good", nil), ignore)
			require.NoError(t, err)
		})
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestServersThatCannotBeWorkedWith(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server invokefake.Config
		says   string
	}{
		"too old":   {invokefake.Config{Version: "5.15.0"}, "5.15.0 is too old, install 6.0.0"},
		"something": {invokefake.Config{Version: "nginx"}, "no InvokeAI"},
		"a login":   {invokefake.Config{Multiuser: true}, "multiuser"},
		"a node":    {invokefake.Config{Without: []string{"img_noise.seed"}}, "img_noise.seed"},
		"a field":   {invokefake.Config{Without: []string{"flux_denoise.guidance"}}, "flux_denoise.guidance"},
	} {
		b := open(t, c.server, nil)
		_, err := b.Describe(t.Context())
		require.ErrorContains(t, err, c.says, name)
		_, err = b.Generate(t.Context(), job("gen_none", nil), ignore)
		requireClass(t, generate.ClassUnavailable, err)
		require.Zero(t, b.fake.Calls(routeEnqueue))
	}
	nobody, err := invokeai.New(invokeai.Config{
		URL: "http://127.0.0.1:1", Models: models(), Log: quiet(), Client: &http.Client{},
	})
	require.NoError(t, err)
	_, err = nobody.Describe(t.Context())
	requireClass(t, generate.ClassUnavailable, err)
	require.ErrorContains(t, err, "port")
}

func TestWhatServersLackIsKnown(t *testing.T) {
	t.Parallel()
	b := open(t, invokefake.Config{NodeCache: 512, Without: []string{"flux_denoise.scheduler"}, Step: step}, nil)
	_, err := b.Describe(t.Context())
	require.NoError(t, err, "a cache is switched off, and an older FLUX is known")
	require.Equal(t, 1, b.fake.Calls("PUT /api/v1/app/invocation_cache/disable"))
	r := flux().Request()
	_, err = b.Generate(t.Context(), generate.Job{ID: "gen_flux", Attempt: 1, Request: r}, ignore)
	require.NoError(t, err)

	few := open(t, invokefake.Config{Models: []invokefake.Model{
		{Key: "k", Name: "sdxl-1.0", Base: "sdxl", Type: "main"}, {Key: "f", Name: "flux-dev", Base: "flux", Type: "main"},
	}}, nil)
	d, err := few.Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"sdxl-1.0"}, d.Models, "FLUX without its parts is not offered")
	_, err = few.Generate(t.Context(), job("gen_lora", func(r *generate.Request) {
		r.LoRAs = []generate.LoRA{{Key: "detail-xl", Weight: 1}}
	}), ignore)
	requireClass(t, generate.ClassModelMissing, err)
}

// dying is a transport that fails from some moment on, as it does for a process that was killed.
type dying struct {
	http.RoundTripper
	dead atomic.Bool
}

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.dead.Load() {
		return nil, errors.New("killed")
	}
	return d.RoundTripper.RoundTrip(r)
}

// openMortal opens an engine whose connection can be cut.
func openMortal(t *testing.T) (*bench, *dying) {
	t.Helper()
	var transport *dying
	b := open(t, fakeConfig(), func(c *invokeai.Config) {
		transport = &dying{RoundTripper: c.Client.Transport}
		c.Client = &http.Client{Transport: transport}
	})
	return b, transport
}

func TestWorkThatADeadWorkerHasLeftIsAdopted(t *testing.T) {
	t.Parallel()
	b, transport := openMortal(t)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	j := job("gen_adopted", func(r *generate.Request) { r.Steps, r.Count = 20, 2 })
	ended := b.begin(t, ctx, j)
	transport.dead.Store(true)
	kill()
	require.ErrorIs(t, await(t, ended), context.Canceled)

	transport.dead.Store(false)
	out, err := b.Generate(t.Context(), j, ignore)
	require.NoError(t, err)
	require.Len(t, out.Images, 2)
	require.Equal(t, 1, b.fake.Calls(routeEnqueue), "nothing is drawn twice")
	require.Equal(t, 2, b.fake.Items())
}

func TestAnEarlierAttemptIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	b, transport := openMortal(t)
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	ended := b.begin(t, ctx, job("gen_twice", long))
	transport.dead.Store(true)
	kill()
	require.Error(t, await(t, ended))
	transport.dead.Store(false)
	again := job("gen_twice", nil)
	again.Attempt = 2
	_, err := b.Generate(t.Context(), again, ignore)
	require.NoError(t, err)
	require.Equal(t, 2, b.fake.Calls(routeEnqueue))
}

func TestARestartInTheMiddleOfAJobIsRetried(t *testing.T) {
	t.Parallel()
	for _, forget := range []bool{false, true} {
		b := open(t, fakeConfig(), nil)
		ended := b.begin(t, t.Context(), job("gen_restart", long))
		b.fake.Restart(forget)
		requireClass(t, generate.ClassInterrupted, await(t, ended))
	}
}

func TestAServerThatIsLostIsGivenUp(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	ended := b.begin(t, t.Context(), job("gen_lost", long))
	b.fake.SetFaults(invokefake.Faults{Down: true})
	requireClass(t, generate.ClassUnavailable, await(t, ended))
	b.fake.SetFaults(invokefake.Faults{})
	_, err := b.Generate(t.Context(), job("gen_found", nil), ignore)
	require.NoError(t, err)
}

func TestACancellationWaitsUntilTheServerHasLetGo(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	const linger = 150 * time.Millisecond
	b.fake.SetFaults(invokefake.Faults{Linger: linger})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := b.begin(t, ctx, job("gen_lingers", long))
	asked := time.Now()
	cancel()
	require.ErrorIs(t, await(t, ended), context.Canceled)
	require.GreaterOrEqual(t, time.Since(asked), linger)
}

func TestACancellationThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	b.fake.SetFaults(invokefake.Faults{CancelLate: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := b.begin(t, ctx, job("gen_late", func(r *generate.Request) { r.Steps = 40 }))
	cancel()
	require.ErrorIs(t, await(t, ended), context.Canceled, "nobody wants it any more, though it is complete")
	require.False(t, b.fake.MarksOf("gen_late").Completed.IsZero())
	require.NoError(t, b.Forget(t.Context(), "gen_late", 1))
	require.Zero(t, b.fake.Images())
	require.Zero(t, b.fake.Items())
}

func TestForgettingLeavesWhatIsAnothersAlone(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	_, err := b.Generate(t.Context(), job("gen_mine", nil), ignore)
	require.NoError(t, err)
	b.fake.SetFaults(invokefake.Faults{Cached: true})
	_, err = b.Generate(t.Context(), job("gen_theirs", nil), ignore)
	require.NoError(t, err)
	require.NoError(t, b.Forget(t.Context(), "gen_theirs", 1))
	require.Equal(t, 1, b.fake.Images(), "the picture is the first job's")
	require.NoError(t, b.Forget(t.Context(), "gen_mine", 1))
	require.Zero(t, b.fake.Images())
}

func TestPicturesThatAreNotDeletedAreNotForgotten(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	source := enginetest.Picture(100, 100, 1)
	_, err := b.Generate(t.Context(), job("gen_kept", func(r *generate.Request) {
		r.Operation, r.Source, r.Strength = "image_to_image", &source, 0.5
	}), ignore)
	require.NoError(t, err)
	require.Equal(t, 3, b.fake.Images(), "the upload, what it was scaled to, and the picture")
	b.fake.SetFaults(invokefake.Faults{KeepImages: true})
	require.Error(t, b.Forget(t.Context(), "gen_kept", 1), "the server says that all is well, and it is not")
	require.Equal(t, 1, b.fake.Items())
	b.fake.SetFaults(invokefake.Faults{})
	require.NoError(t, b.Forget(t.Context(), "gen_kept", 1))
	require.Zero(t, b.fake.Images())
	require.Zero(t, b.fake.Items())
}

func TestPreviewsAreFew(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	began, frames, previews := time.Now(), 0, 0
	_, err := b.Generate(t.Context(), job("gen_seen", func(r *generate.Request) { r.Steps = 250 }),
		func(p generate.Progress) {
			frames++
			if p.Preview != nil {
				previews++
			}
		})
	require.NoError(t, err)
	require.Greater(t, frames, 100)
	require.Positive(t, previews)
	require.LessOrEqual(t, previews, 1+int(time.Since(began)/invokeai.PreviewEvery), "two a second")
}

// witness notes what metrics are made of.
type witness struct {
	mu       sync.Mutex
	loads    map[string]time.Duration
	cached   int64
	recycled []string
}

func (w *witness) ModelLoaded(base, part string, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.loads == nil {
		w.loads = map[string]time.Duration{}
	}
	w.loads[base+" "+part] = took
}

func (*witness) Queue(int, int) {}

func (w *witness) Memory(_, cached int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cached = cached
}

func (w *witness) Recycled(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recycled = append(w.recycled, reason)
}

// tended is a bench whose server is looked after.
func tended(t *testing.T, server invokefake.Config, change func(*invokeai.Config)) *bench {
	t.Helper()
	b := open(t, server, func(c *invokeai.Config) {
		c.Tended = true
		change(c)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return b
}

func TestTheServerIsWarmBeforeItIsOffered(t *testing.T) {
	t.Parallel()
	const load = 200 * time.Millisecond
	w := &witness{}
	began := time.Now()
	b := tended(t, invokefake.Config{Step: step, Load: load}, func(c *invokeai.Config) {
		c.Warm, c.Observe = []string{"sdxl-1.0", "flux-schnell"}, w
	})
	require.Eventually(t, func() bool {
		_, err := b.Describe(t.Context())
		if err != nil {
			require.ErrorIs(t, err, generate.ErrStarting)
		}
		return err == nil
	}, waitMax, tick)
	require.GreaterOrEqual(t, time.Since(began), 2*load)
	require.Zero(t, b.fake.Items(), "nothing of the warming stays")
	require.Zero(t, b.fake.Images())
	before := b.fake.Calls("POST /api/v1/images/delete")
	require.Equal(t, 3, before, "the canary and two models")
	w.mu.Lock()
	defer w.mu.Unlock()
	require.GreaterOrEqual(t, w.loads["sdxl unet"], load/2)
}

func TestTheServerIsRecycledWhenItIsDue(t *testing.T) {
	t.Parallel()
	w := &witness{}
	b := tended(t, fakeConfig(), func(c *invokeai.Config) { c.Recycle.Jobs, c.Observe = 2, w })
	require.Eventually(t, func() bool {
		_, err := b.Describe(t.Context())
		return err == nil
	}, waitMax, tick)
	for _, name := range []string{"gen_one", "gen_two"} {
		require.NoError(t, b.Alive())
		_, err := b.Generate(t.Context(), job(name, nil), ignore)
		require.NoError(t, err)
	}
	require.ErrorContains(t, b.Alive(), "2 jobs")
	_, err := b.Describe(t.Context())
	require.ErrorIs(t, err, generate.ErrStarting, "it gets no more jobs")
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.recycled) == 1
	}, waitMax, tick)
	b.fake.SetFaults(invokefake.Faults{Down: true})
	require.Eventually(t, func() bool { return b.Alive() == nil }, waitMax, tick, "it is away, and will be back")
	b.fake.SetFaults(invokefake.Faults{})
	require.Eventually(t, func() bool {
		_, err := b.Describe(t.Context())
		return err == nil
	}, waitMax, tick)
}

func TestASecondLackOfMemoryAsksForARestart(t *testing.T) {
	t.Parallel()
	b := open(t, fakeConfig(), nil)
	b.fake.SetFaults(invokefake.Faults{FailWith: "OutOfMemoryError", FailItems: 2})
	for _, name := range []string{"gen_one", "gen_two"} {
		require.NoError(t, b.Alive())
		_, err := b.Generate(t.Context(), job(name, nil), ignore)
		requireClass(t, generate.ClassOutOfMemory, err)
	}
	require.Error(t, b.Alive())
	_, err := b.Describe(t.Context())
	require.ErrorIs(t, err, generate.ErrStarting)
}

func TestConfigNamesAllFaults(t *testing.T) {
	t.Parallel()
	err := invokeai.Config{URL: "nowhere", Warm: []string{"x"}, Poll: -1}.Validate()
	for _, fault := range []string{"URL", "no models", `"x"`, "negative", "logger"} {
		require.ErrorContains(t, err, fault)
	}
}
