package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/generate"
)

// Suite says how to get an engine and what to ask of it.
type Suite struct {
	// Open returns an engine for one test. It takes some time for each step, so that a job can be watched.
	Open func(t *testing.T) generate.Engine
	// Model is the key of a main model that the engine has; Width, Height and Steps are cheap for it.
	Model                string
	Width, Height, Steps int
	Guidance             float64
	Scheduler            string
	// LoRAs and Controls are what else the model takes. Empty leaves those tests out.
	LoRAs    []string
	Controls []string
	// NegativePrompt says that the model has one.
	NegativePrompt bool

	run int64
}

// waitMax is far above what any step takes; it only turns a hang into a failure.
const waitMax = 60 * time.Second

// Run runs the suite.
func Run(t *testing.T, s Suite) {
	t.Helper()
	s.run = time.Now().UnixNano()
	for name, test := range map[string]func(*testing.T, Suite, generate.Engine){
		"describes itself":         describes,
		"images count up":          countsUp,
		"the same pair again":      again,
		"every input counts":       everyInputCounts,
		"a source is kept":         sources,
		"progress":                 progress,
		"cancelling":               cancels,
		"cancelled before it runs": cancelledBefore,
		"what cannot be drawn":     refuses,
		"hostile prompts":          hostile,
		"side by side":             sideBySide,
		"forgetting":               forgets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s, s.Open(t))
		})
	}
}

// Request returns the least request of the suite.
func (s Suite) Request() generate.Request {
	return generate.Request{
		Operation: "text_to_image", Model: s.Model, Prompt: "a lighthouse at dawn", Width: s.Width, Height: s.Height,
		Steps: s.Steps, Guidance: s.Guidance, Scheduler: s.Scheduler, Seed: 7, Count: 1,
	}
}

// id returns the id of a job that no other run of the suite has: a server remembers what it was asked for.
func (s Suite) id(name string) string { return fmt.Sprintf("%s-%s-%d", name, s.Model, s.run) }

// Picture returns a picture that a request may bring along.
func Picture(width, height int, shade uint8) generate.Picture {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{shade, uint8(x), uint8(y), 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		panic(err)
	}
	return generate.Picture{PNG: file.Bytes(), Width: width, Height: height}
}

func ignore(generate.Progress) {}

func draw(t *testing.T, e generate.Engine, job generate.Job) generate.Output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitMax)
	defer cancel()
	out, err := e.Generate(ctx, job, ignore)
	require.NoError(t, err)
	require.Len(t, out.Images, job.Request.Count)
	return out
}

// pixels returns what a picture shows, whatever its file looks like.
func pixels(t *testing.T, file []byte) []byte {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	var all bytes.Buffer
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			all.Write([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)})
		}
	}
	return all.Bytes()
}

func describes(t *testing.T, s Suite, e generate.Engine) {
	d, err := e.Describe(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, d.Name)
	require.NotEmpty(t, d.Version)
	require.Contains(t, d.Models, s.Model)
}

func countsUp(t *testing.T, s Suite, e generate.Engine) {
	r := s.Request()
	r.Seed, r.Count = math.MaxUint32, 2
	out := draw(t, e, generate.Job{ID: s.id("gen_two"), Attempt: 1, Request: r})
	require.NotEmpty(t, out.Engine)
	require.NotEmpty(t, out.Version)
	require.Positive(t, out.GPUTime)
	require.Equal(t, uint32(math.MaxUint32), out.Images[0].Seed)
	require.Equal(t, uint32(0), out.Images[1].Seed)
	for _, m := range out.Images {
		about, err := png.DecodeConfig(bytes.NewReader(m.PNG))
		require.NoError(t, err)
		require.Equal(t, []int{s.Width, s.Height, s.Width, s.Height},
			[]int{about.Width, about.Height, m.Width, m.Height})
	}
	r.Seed, r.Count = 0, 1
	alone := draw(t, e, generate.Job{ID: s.id("gen_one"), Attempt: 1, Request: r})
	require.Equal(t, pixels(t, alone.Images[0].PNG), pixels(t, out.Images[1].PNG), "image i has the seed that is i more")
}

func again(t *testing.T, s Suite, e generate.Engine) {
	job := generate.Job{ID: s.id("gen_again"), Attempt: 2, Request: s.Request()}
	first, second := draw(t, e, job), draw(t, e, job)
	require.Equal(t, pixels(t, first.Images[0].PNG), pixels(t, second.Images[0].PNG))
}

func everyInputCounts(t *testing.T, s Suite, e generate.Engine) {
	source, control := Picture(s.Width, s.Height, 9), Picture(s.Width, s.Height, 200)
	changes := map[string]func(*generate.Request){
		"base":   func(*generate.Request) {},
		"seed":   func(r *generate.Request) { r.Seed++ },
		"prompt": func(r *generate.Request) { r.Prompt += " with gulls" },
		"steps":  func(r *generate.Request) { r.Steps++ },
		"source": func(r *generate.Request) {
			r.Operation, r.Source, r.Strength = "image_to_image", &source, 0.5
		},
		"strength": func(r *generate.Request) {
			r.Operation, r.Source, r.Strength = "image_to_image", &source, 0.8
		},
	}
	if s.NegativePrompt {
		changes["negative"] = func(r *generate.Request) { r.NegativePrompt = "blurry" }
	}
	for _, key := range s.LoRAs {
		changes[key] = func(r *generate.Request) { r.LoRAs = []generate.LoRA{{Key: key, Weight: 0.7}} }
		changes[key+" weighs more"] = func(r *generate.Request) { r.LoRAs = []generate.LoRA{{Key: key, Weight: 1.2}} }
	}
	for _, kind := range s.Controls {
		changes[kind] = func(r *generate.Request) {
			r.Controls = []generate.Control{{Kind: kind, Picture: control, Weight: 1, End: 1}}
		}
	}
	if len(s.LoRAs) > 1 {
		changes["several"] = func(r *generate.Request) {
			r.LoRAs = []generate.LoRA{{Key: s.LoRAs[0], Weight: 1}, {Key: s.LoRAs[1], Weight: 1}}
		}
	}
	seen := map[string]string{}
	for name, change := range changes {
		r := s.Request()
		change(&r)
		out := draw(t, e, generate.Job{ID: s.id("gen_" + strings.ReplaceAll(name, " ", "-")), Attempt: 1, Request: r})
		shown := string(pixels(t, out.Images[0].PNG))
		require.NotContains(t, seen, shown, "%s and %s look the same", name, seen[shown])
		seen[shown] = name
	}
}

// sources holds that a source of another size is taken and scaled.
func sources(t *testing.T, s Suite, e generate.Engine) {
	source := Picture(s.Width*2, s.Height/2+8, 30)
	r := s.Request()
	r.Operation, r.Source, r.Strength = "image_to_image", &source, 0.4
	out := draw(t, e, generate.Job{ID: s.id("gen_scaled"), Attempt: 1, Request: r})
	require.Equal(t, s.Width, out.Images[0].Width)
	require.Equal(t, s.Height, out.Images[0].Height)
}

func progress(t *testing.T, s Suite, e generate.Engine) {
	r := s.Request()
	r.Count = 2
	var mu sync.Mutex
	var all []generate.Progress
	over := false
	job := generate.Job{ID: s.id("gen_watched"), Attempt: 1, Request: r}
	_, err := e.Generate(t.Context(), job, func(p generate.Progress) {
		mu.Lock()
		defer mu.Unlock()
		require.False(t, over, "nothing is told after the end")
		all = append(all, p)
	})
	mu.Lock()
	defer mu.Unlock()
	over = true
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for i, p := range all {
		require.Contains(t, []string{"loading", "denoising", "encoding"}, p.Stage)
		require.Equal(t, 2, p.Images)
		require.Less(t, p.Image, 2)
		require.LessOrEqual(t, p.Fraction, 1.0)
		if i > 0 {
			require.GreaterOrEqual(t, p.Fraction, all[i-1].Fraction)
			require.GreaterOrEqual(t, p.Image, all[i-1].Image)
		}
		if p.Preview != nil {
			require.True(t, bytes.HasPrefix(p.Preview, []byte("\xff\xd8\xff")), "a preview is a JPEG")
		}
	}
}

func cancels(t *testing.T, s Suite, e generate.Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := s.Request()
	r.Count, r.Steps = 4, 100
	ended := make(chan error, 1)
	started := make(chan struct{})
	begun := sync.OnceFunc(func() { close(started) })
	go func() {
		_, err := e.Generate(ctx, generate.Job{ID: s.id("gen_cancelled"), Attempt: 1, Request: r},
			func(generate.Progress) { begun() })
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		require.Fail(t, "the job has ended before it was cancelled", "%v", err)
	case <-time.After(waitMax):
		require.Fail(t, "the job does not start")
	}
	cancel()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(waitMax):
		require.Fail(t, "the job does not end")
	}
	draw(t, e, generate.Job{ID: s.id("gen_after"), Attempt: 1, Request: s.Request()})
}

func cancelledBefore(t *testing.T, s Suite, e generate.Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Generate(ctx, generate.Job{ID: s.id("gen_never"), Attempt: 1, Request: s.Request()}, ignore)
	require.ErrorIs(t, err, context.Canceled)
}

func refuses(t *testing.T, s Suite, e generate.Engine) {
	source := Picture(s.Width, s.Height, 1)
	for name, c := range map[string]struct {
		class  generate.Class
		change func(*generate.Request)
	}{
		"model":     {generate.ClassModelMissing, func(r *generate.Request) { r.Model = "nobody-has-it" }},
		"operation": {generate.ClassInvalid, func(r *generate.Request) { r.Operation = "guess" }},
		"size":      {generate.ClassInvalid, func(r *generate.Request) { r.Width = 1 << 20 }},
		"steps":     {generate.ClassInvalid, func(r *generate.Request) { r.Steps = 0 }},
		"count":     {generate.ClassInvalid, func(r *generate.Request) { r.Count = 0 }},
		"no source": {generate.ClassInvalid, func(r *generate.Request) { r.Operation = "image_to_image" }},
		"source":    {generate.ClassInvalid, func(r *generate.Request) { r.Source = &source }},
	} {
		r := s.Request()
		c.change(&r)
		_, err := e.Generate(t.Context(), generate.Job{ID: s.id("gen_refused"), Attempt: 1, Request: r}, ignore)
		var failure *generate.EngineError
		require.True(t, errors.As(err, &failure), "%s: %v", name, err)
		require.Equal(t, c.class, failure.Class, name)
		require.NotContains(t, err.Error(), r.Prompt, "an error never holds the prompt")
	}
}

func hostile(t *testing.T, s Suite, e generate.Engine) {
	for i, prompt := range []string{
		strings.Repeat("a cat, ", 571), strings.Repeat("(", 4000), `(cat`, `"`, `\`, `("a","b").and(1,2,3)`, ":)",
		"\x00\x1b[31m", "{{7*7}} ${HOME} %s %n", "고양이 🐈‍⬛", "<lora:x:9>", "withLora(x)", " ",
	} {
		r := s.Request()
		r.Prompt = prompt
		draw(t, e, generate.Job{ID: s.id(fmt.Sprint("gen_hostile", i)), Attempt: 1, Request: r})
	}
}

func sideBySide(t *testing.T, s Suite, e generate.Engine) {
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			r := s.Request()
			r.Seed = uint32(100 * i)
			job := generate.Job{ID: s.id(fmt.Sprint("gen_beside", i)), Attempt: 1, Request: r}
			out, err := e.Generate(t.Context(), job, ignore)
			if err != nil || len(out.Images) != 1 || out.Images[0].Seed != r.Seed {
				t.Errorf("job %d: %v, %d images", i, err, len(out.Images))
			}
		})
	}
	all.Wait()
}

func forgets(t *testing.T, s Suite, e generate.Engine) {
	job := generate.Job{ID: s.id("gen_forgotten"), Attempt: 1, Request: s.Request()}
	require.NoError(t, e.Forget(t.Context(), job.ID, job.Attempt), "what never was")
	first := draw(t, e, job)
	for range 2 {
		require.NoError(t, e.Forget(t.Context(), job.ID, job.Attempt))
	}
	second := draw(t, e, job)
	require.Equal(t, pixels(t, first.Images[0].PNG), pixels(t, second.Images[0].PNG))
}
