package sketch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/generate"
)

const model = "sdxl"

func ignore(generate.Progress) {}

func newEngine(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Config{Models: []string{model, "flux"}})
	require.NoError(t, err)
	return e
}

func request(prompt string) generate.Request {
	return generate.Request{
		Operation: "text_to_image", Model: model, Prompt: prompt, Width: 96, Height: 64, Steps: 4, Seed: 7, Count: 1,
	}
}

// pixels is the SHA-256 of the decoded pixels: the golden values outlive a change of Go's compressor.
func pixels(t testing.TB, file []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	sum := sha256.New()
	switch m := img.(type) {
	case *image.RGBA:
		sum.Write(m.Pix)
	case *image.NRGBA:
		sum.Write(m.Pix)
	default:
		require.Fail(t, "not 8-bit colour")
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func draw(t testing.TB, r generate.Request) []byte {
	t.Helper()
	out, err := newEngine(t).Generate(t.Context(), generate.Job{ID: "g", Attempt: 1, Request: r}, ignore)
	require.NoError(t, err)
	require.Len(t, out.Images, r.Count)
	return out.Images[0].PNG
}

func TestPicturesAreTheSameOnEveryPlatform(t *testing.T) {
	t.Parallel()
	for prompt, want := range map[string]string{
		"a sunset over the ocean with a sailboat": "6dcecd3ba21dd52bbf691a9c02b2fb0c87e58a273d1b98877017dfe7fc78557b",
		"달밤의 고양이":                                 "9a7e06fd12830000eef38e8657395b4201296ec9286a075829398671014f201b",
		"something that nobody has words for":     "0b2b34e19a2fe574499b99f25a639347753c4ac9be534366c8568fcc5c58c3a4",
	} {
		first := draw(t, request(prompt))
		require.Equal(t, want, pixels(t, first), prompt)
		require.Equal(t, first, draw(t, request(prompt)), "bytes of %q", prompt)
	}
}

func TestEveryInputCounts(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, change := range map[string]func(*generate.Request){
		"base":     func(*generate.Request) {},
		"seed":     func(r *generate.Request) { r.Seed++ },
		"prompt":   func(r *generate.Request) { r.Prompt += "!" },
		"negative": func(r *generate.Request) { r.NegativePrompt = "blurry" },
		"model":    func(r *generate.Request) { r.Model = "flux" },
		"steps":    func(r *generate.Request) { r.Steps++ },
		"size":     func(r *generate.Request) { r.Width++ },
	} {
		r := request("a forest by the sea")
		change(&r)
		sum := pixels(t, draw(t, r))
		require.NotContains(t, seen, sum, "%s and %s look the same", name, seen[sum])
		seen[sum] = name
	}
}

func TestImagesOfAJobCountUpFromTheSeed(t *testing.T) {
	t.Parallel()
	r := request("mountains")
	r.Seed, r.Count = math.MaxUint32, 2
	out, err := newEngine(t).Generate(t.Context(), generate.Job{Request: r}, ignore)
	require.NoError(t, err)
	require.Equal(t, "sketch", out.Engine)
	require.Equal(t, "1", out.Version)
	require.Positive(t, out.GPUTime)
	require.Equal(t, uint32(math.MaxUint32), out.Images[0].Seed)
	require.Equal(t, uint32(0), out.Images[1].Seed)
	r.Seed, r.Count = 0, 1
	require.Equal(t, draw(t, r), out.Images[1].PNG)
	about, err := png.DecodeConfig(bytes.NewReader(out.Images[0].PNG))
	require.NoError(t, err)
	require.Equal(t, [2]int{out.Images[0].Width, out.Images[0].Height}, [2]int{about.Width, about.Height})
}

func TestProgressRisesAndShowsThePicture(t *testing.T) {
	t.Parallel()
	e, err := New(Config{Models: []string{model}, Pace: 4 * time.Second}) // 25 ms a step at this size
	require.NoError(t, err)
	r := request("night city")
	r.Count, r.Steps = 2, 40
	var all []generate.Progress
	var times []time.Time
	_, err = e.Generate(t.Context(), generate.Job{Request: r}, func(p generate.Progress) {
		all, times = append(all, p), append(times, time.Now())
	})
	require.NoError(t, err)
	require.Zero(t, all[0].Fraction)
	require.InDelta(t, 1, all[len(all)-1].Fraction, 0)
	previews := 0
	for i, p := range all {
		require.Equal(t, 2, p.Images)
		require.Contains(t, []string{"denoising", "encoding"}, p.Stage)
		if i > 0 {
			require.GreaterOrEqual(t, p.Fraction, all[i-1].Fraction)
			require.GreaterOrEqual(t, p.Image, all[i-1].Image)
		}
		if p.Stage == "denoising" && i > 0 {
			require.GreaterOrEqual(t, times[i].Sub(times[i-1]), reportEvery)
		}
		if p.Preview == nil {
			continue
		}
		previews++
		require.Less(t, len(p.Preview), 16<<10)
		img, err := jpeg.Decode(bytes.NewReader(p.Preview))
		require.NoError(t, err)
		require.LessOrEqual(t, max(img.Bounds().Dx(), img.Bounds().Dy()), previewEdge)
	}
	require.GreaterOrEqual(t, previews, 3)
}

func TestPaceIsTheLeastTime(t *testing.T) {
	t.Parallel()
	e, err := New(Config{Models: []string{model}, Pace: 5 * time.Second})
	require.NoError(t, err)
	start := time.Now()
	_, err = e.Generate(t.Context(), generate.Job{Request: request("hill")}, ignore)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 4*30*time.Millisecond, "4 steps of 0.006 megapixels")
}

func TestCancelStopsAtOnce(t *testing.T) {
	t.Parallel()
	large := request("sea")
	large.Width, large.Height, large.Steps = MaxEdge, MaxEdge, MaxSteps
	slow := request("sea")
	for name, tc := range map[string]struct {
		request generate.Request
		pace    time.Duration
	}{"while drawing": {large, 0}, "while waiting": {slow, time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := New(Config{Models: []string{model}, Pace: tc.pace})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var cancelled time.Time
			time.AfterFunc(300*time.Millisecond, func() {
				cancelled = time.Now()
				cancel()
			})
			_, err = e.Generate(ctx, generate.Job{Request: tc.request}, ignore)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, time.Since(cancelled), 100*time.Millisecond)
		})
	}
}

func TestEncodingStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	c := newCanvas(newScene(brief{prompt: "x", width: 256, height: 256}), 1)
	c.weight = 1
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.encode(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRequestsOutOfBoundsAreInvalid(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*generate.Request){
		"narrow":    func(r *generate.Request) { r.Width = MinEdge - 1 },
		"high":      func(r *generate.Request) { r.Height = MaxEdge + 1 },
		"negative":  func(r *generate.Request) { r.Height = -64 },
		"no steps":  func(r *generate.Request) { r.Steps = 0 },
		"steps":     func(r *generate.Request) { r.Steps = MaxSteps + 1 },
		"no images": func(r *generate.Request) { r.Count = 0 },
		"images":    func(r *generate.Request) { r.Count = MaxImages + 1 },
		"operation": func(r *generate.Request) { r.Operation = "upscale" },
	} {
		r := request("secret prompt")
		change(&r)
		_, err := newEngine(t).Generate(t.Context(), generate.Job{Request: r}, ignore)
		requireClass(t, generate.ClassInvalid, err, name)
	}
	r := request("secret prompt")
	r.Model = "unknown"
	_, err := newEngine(t).Generate(t.Context(), generate.Job{Request: r}, ignore)
	requireClass(t, generate.ClassModelMissing, err, "model")
}

func requireClass(t *testing.T, want generate.Class, err error, name string) {
	t.Helper()
	var fault *generate.EngineError
	require.True(t, errors.As(err, &fault), name)
	require.Equal(t, want, fault.Class, name)
	require.NotContains(t, err.Error(), "secret prompt")
}

func TestSmallestAndLargestSizesAreDrawn(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{MinEdge, MinEdge}, {MaxEdge, MinEdge}, {MinEdge, MaxEdge}, {MaxEdge, MaxEdge}} {
		r := request("cat, boat, house, balloon, bird, rainbow, flower, forest, rain, snow, fog")
		r.Width, r.Height, r.Steps = size[0], size[1], 1
		about, err := png.DecodeConfig(bytes.NewReader(draw(t, r)))
		require.NoError(t, err)
		require.Equal(t, size, [2]int{about.Width, about.Height})
	}
}

func TestDescribeAndConfig(t *testing.T) {
	t.Parallel()
	about, err := newEngine(t).Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, generate.Description{Name: "sketch", Version: "1", Models: []string{model, "flux"}}, about)
	_, err = New(Config{Pace: -1})
	require.ErrorContains(t, err, "models")
	require.ErrorContains(t, err, "pace")
}

func BenchmarkPass(b *testing.B) {
	c := newCanvas(newScene(brief{prompt: "sunset over the sea", width: 256, height: 256}), 30)
	m := newMeter(generate.Request{Count: 1, Steps: 30, Height: 256}, ignore)
	m.last = time.Now().Add(time.Hour)
	for i := 0; b.Loop(); i++ {
		c.weight = 0
		require.NoError(b, c.pass(b.Context(), i%30, m))
	}
}
