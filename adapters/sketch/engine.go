package sketch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

const (
	// Name and Version identify the engine in image metadata. Version changes whenever any picture does.
	Name    = "sketch"
	Version = "1"

	// MinEdge and MaxEdge bound width and height in pixels.
	MinEdge, MaxEdge = 64, 2048
	// MaxSteps bounds the passes over an image.
	MaxSteps = 500
	// MaxImages bounds the images of one job.
	MaxImages = 16

	textToImage  = "text_to_image"
	imageToImage = "image_to_image"
)

// Config says what the engine pretends to run and how fast.
type Config struct {
	// Models are the keys of the models that it draws for, in any manner: usually the whole catalogue.
	Models []string
	// Pace is the least wall time for one step over one million pixels. 0 is as fast as it goes.
	Pace time.Duration
}

// Validate returns all faults of the configuration joined, or nil.
func (c Config) Validate() error {
	var faults []error
	if len(c.Models) == 0 {
		faults = append(faults, errors.New("sketch: no models"))
	}
	if c.Pace < 0 {
		faults = append(faults, errors.New("sketch: pace is negative"))
	}
	return errors.Join(faults...)
}

// Engine draws procedural pictures. It holds no state: a job called again after a crash gives the same pictures.
type Engine struct {
	models []string
	pace   time.Duration
}

var _ generate.Engine = (*Engine)(nil)

// New returns an engine.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Engine{models: slices.Clone(cfg.Models), pace: cfg.Pace}, nil
}

// Describe implements generate.Engine. It never fails.
func (e *Engine) Describe(context.Context) (generate.Description, error) {
	return generate.Description{Name: Name, Version: Version, Models: slices.Clone(e.models)}, nil
}

// Generate implements generate.Engine.
func (e *Engine) Generate(
	ctx context.Context, job generate.Job, report func(generate.Progress),
) (generate.Output, error) {
	if err := e.check(job.Request); err != nil {
		return generate.Output{}, err
	}
	start := time.Now()
	out := generate.Output{Engine: Name, Version: Version}
	meter := newMeter(job.Request, report)
	for i := range job.Request.Count {
		meter.begin(i)
		seed := job.Request.Seed + uint32(i) // wraps at 2^32, as the port asks
		png, err := e.draw(ctx, job.Request, seed, meter)
		if err != nil {
			return generate.Output{}, err
		}
		out.Images = append(out.Images, generate.Image{
			PNG: png, Seed: seed, Width: job.Request.Width, Height: job.Request.Height,
		})
	}
	meter.finish()
	out.GPUTime = time.Since(start)
	return out, nil
}

// Forget implements generate.Engine. There is nothing to forget.
func (e *Engine) Forget(context.Context, string, int) error { return nil }

func (e *Engine) draw(ctx context.Context, r generate.Request, seed uint32, meter *meter) ([]byte, error) {
	canvas := newCanvas(newScene(brief{
		prompt: r.Prompt, negative: r.NegativePrompt, model: r.Model, seed: seed, width: r.Width, height: r.Height,
		extras: extras(r),
	}), r.Steps)
	if r.Source != nil {
		if err := canvas.begin(r.Source.PNG, r.Strength); err != nil {
			return nil, &generate.EngineError{Class: generate.ClassInvalid, Message: "the source is no picture", Err: err}
		}
	}
	least := e.pace * time.Duration(r.Width*r.Height) / 1e6
	for step := range r.Steps {
		began := time.Now()
		if err := canvas.pass(ctx, step, meter); err != nil {
			return nil, err
		}
		if err := wait(ctx, least-time.Since(began)); err != nil {
			return nil, err
		}
	}
	meter.encoding(canvas)
	png, err := canvas.encode(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &generate.EngineError{Class: generate.ClassUnknown, Message: "encode PNG", Err: err}
	}
	return png, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// check returns an *generate.EngineError for a request that the engine cannot run.
func (e *Engine) check(r generate.Request) error {
	if !slices.Contains(e.models, r.Model) {
		return &generate.EngineError{Class: generate.ClassModelMissing, Message: "model is not configured for sketch"}
	}
	var faults []error
	if r.Operation != textToImage && r.Operation != imageToImage {
		faults = append(faults, errors.New("the operation is unknown"))
	}
	if (r.Operation == imageToImage) != (r.Source != nil) {
		faults = append(faults, errors.New("image_to_image and a source go together"))
	}
	if min(r.Width, r.Height) < MinEdge || max(r.Width, r.Height) > MaxEdge {
		faults = append(faults, fmt.Errorf("size %dx%d is outside %d to %d", r.Width, r.Height, MinEdge, MaxEdge))
	}
	if r.Steps < 1 || r.Steps > MaxSteps {
		faults = append(faults, fmt.Errorf("%d steps are outside 1 to %d", r.Steps, MaxSteps))
	}
	if r.Count < 1 || r.Count > MaxImages {
		faults = append(faults, fmt.Errorf("count %d is outside 1 to %d", r.Count, MaxImages))
	}
	if err := errors.Join(faults...); err != nil {
		return &generate.EngineError{Class: generate.ClassInvalid, Message: "request cannot be drawn", Err: err}
	}
	return nil
}
