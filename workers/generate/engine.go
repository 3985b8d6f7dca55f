package generate

import (
	"context"
	"errors"
	"time"
)

// Engine turns a job into images. It is the port that every image engine fills: sketch, InvokeAI, and the relays.
//
// Generate blocks until the job has ended. It must be idempotent by (Job.ID, Job.Attempt): called again with the same
// pair after a crash of the worker it adopts the work that is under way instead of starting a second one.
// Cancelling ctx cancels the work; Generate then returns ctx's error once the engine has let go of it.
// Errors other than ctx's are *EngineError; any other error counts as ClassUnknown.
type Engine interface {
	// Describe names the engine and what it accepts. It fails while the engine is not ready.
	Describe(ctx context.Context) (Description, error)
	// Generate runs the job and reports progress through report, which must not block for long and may be called from
	// another goroutine, one call at a time, never after Generate has returned.
	Generate(ctx context.Context, job Job, report func(Progress)) (Output, error)
	// Forget removes what the engine keeps of an attempt. It is called once the attempt is over: its pictures are
	// stored elsewhere, or nobody wants them. Forgetting again, or what never was, changes nothing.
	Forget(ctx context.Context, id string, attempt int) error
}

// ErrStarting is what Describe's error is while the engine gets ready by itself. It is no failure.
var ErrStarting = errors.New("the engine is starting")

// Description is what an engine says of itself.
type Description struct {
	// Name and Version identify the engine in image metadata, e.g. "sketch" "1".
	Name, Version string
	// Models are the keys of the models that the engine can run now.
	Models []string
}

// Job is one attempt at one generation, as the engine sees it.
type Job struct {
	// ID is the generation's id; Attempt counts from 1 and is the fence of the claim.
	ID      string
	Attempt int
	Request Request
}

// Request says what to draw. Sizes are pixels.
type Request struct {
	Operation      string // "text_to_image" or "image_to_image"
	Model          string
	Prompt         string
	NegativePrompt string
	Width, Height  int
	Steps          int
	// Guidance is the classifier-free guidance scale; 0 where the model has none.
	Guidance  float64
	Scheduler string
	// Seed of the first image; image i uses Seed+i modulo 2^32.
	Seed  uint32
	Count int
	// Source is what the pictures begin with, image_to_image only; nil otherwise. It is scaled to the size asked for.
	Source *Picture
	// Strength is how much of Source may change, above 0 to 1.
	Strength float64
	LoRAs    []LoRA
	Controls []Control
}

// Picture is one that a request brings along: a whole PNG of this size without any metadata, made by this process.
type Picture struct {
	PNG           []byte
	Width, Height int
}

// LoRA is a small model that changes the main one.
type LoRA struct {
	Key    string
	Weight float64
}

// Control is a ControlNet: it holds the pictures to the lines, depth or pose of another.
type Control struct {
	Kind    string // such as "canny"
	Picture Picture
	// Preprocess says that Picture is a photograph, of which the engine makes what the ControlNet needs.
	Preprocess bool
	Weight     float64
	// Begin and End are the part of the steps in which it acts, 0 to 1.
	Begin, End float64
}

// Progress is one complete frame: the newest one alone tells where the job stands.
type Progress struct {
	Stage string // "loading", "denoising", "encoding"
	// Image is the 0-based index of the image being made, of Images in all.
	Image, Images int
	// Fraction of the whole job that is done, 0 to 1, never falling within an attempt.
	Fraction float64
	// Preview is a small JPEG of the current state, or nil.
	Preview []byte
}

// Output is what a finished job yields.
type Output struct {
	Images []Image
	// GPUTime is the engine's own busy time, which usage and estimates are built on.
	GPUTime time.Duration
	Engine  string
	Version string
}

// Image is one encoded picture.
type Image struct {
	PNG           []byte
	Seed          uint32
	Width, Height int
}

// Class says what a failed attempt means for the job.
type Class string

const (
	// ClassInvalid is a request that this engine can never run: no retry, not charged.
	ClassInvalid Class = "invalid_request"
	// ClassModerated is a request or result that the engine's content filter refused.
	ClassModerated Class = "moderated"
	// ClassModelMissing is a model that is not installed here; another worker may have it.
	ClassModelMissing Class = "model_missing"
	// ClassOutOfMemory is an engine out of memory; a retry may do.
	ClassOutOfMemory Class = "out_of_memory"
	// ClassUnavailable is an engine that is down, full or rate limited; a retry will do.
	ClassUnavailable Class = "unavailable"
	// ClassInterrupted is work that the engine gave up without being asked to; a retry will do.
	ClassInterrupted Class = "interrupted"
	// ClassUnknown is everything else; retried within the job's attempts.
	ClassUnknown Class = "unknown"
)

// EngineError is a failed attempt with its class.
type EngineError struct {
	Class   Class
	Message string // for the operator's log; never holds the prompt
	Err     error
}

// Error implements error.
func (e *EngineError) Error() string {
	if e.Err == nil {
		return string(e.Class) + ": " + e.Message
	}
	return string(e.Class) + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *EngineError) Unwrap() error { return e.Err }
