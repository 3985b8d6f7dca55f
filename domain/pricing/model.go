package pricing

import (
	"math"
	"slices"

	"github.com/pingvas/pingvas/domain"
)

// OperationTextToImage draws a picture from a prompt alone.
const OperationTextToImage = "text_to_image"

// PoolGPU is the pool of workers that run models themselves.
const PoolGPU = "gpu"

// Bounds that hold for every model.
const (
	PromptRunesMax = 4000
	SizeStep       = 8 // pixels; latent models work on blocks of this edge
	CountMax       = 8
)

// Range is a closed interval of whole numbers with a default.
type Range struct {
	Min     int `json:"min"`
	Max     int `json:"max"`
	Default int `json:"default"`
}

func (r Range) check(field string, v int) error {
	if v < r.Min || v > r.Max {
		return domain.FieldErrorf(field, "must be between %d and %d, not %d", r.Min, r.Max, v)
	}
	return nil
}

// FloatRange is a closed interval with a default. A zero Max means that the model has no such parameter.
type FloatRange struct {
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Default float64 `json:"default"`
}

// Model says what one model accepts and what it costs.
type Model struct {
	Key            string     `json:"key"`
	Name           string     `json:"name"`
	Pool           string     `json:"pool"`
	Operations     []string   `json:"operations"`
	Size           Range      `json:"size"` // pixels per edge, a multiple of SizeStep
	Steps          Range      `json:"steps"`
	Guidance       FloatRange `json:"guidance"`
	Schedulers     []string   `json:"schedulers"` // the first is the default
	NegativePrompt bool       `json:"negative_prompt"`
	Count          Range      `json:"count"`
	// UnitCredits is the price of one image of 1024×1024 pixels at the default number of steps.
	UnitCredits domain.Credits `json:"unit_credits"`
	// UnitMillis is the estimated GPU time of one such image.
	UnitMillis int64 `json:"unit_millis"`
}

// Terms are the parts of a request that decide its price.
type Terms struct {
	Operation string `json:"operation"`
	Model     string `json:"model"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Steps     int    `json:"steps"`
	Count     int    `json:"count"`
}

// Params are the parts of a request that the model constrains without pricing them.
type Params struct {
	Guidance       float64
	Scheduler      string
	NegativePrompt bool
}

// Check returns CodeInvalid with the field at fault for terms that the model does not accept.
func (m Model) Check(t Terms) error {
	if !slices.Contains(m.Operations, t.Operation) {
		return domain.FieldErrorf("/operation", "model %s does not do %q", m.Key, t.Operation)
	}
	if err := m.checkEdge("/width", t.Width); err != nil {
		return err
	}
	if err := m.checkEdge("/height", t.Height); err != nil {
		return err
	}
	if err := m.Steps.check("/steps", t.Steps); err != nil {
		return err
	}
	return m.Count.check("/count", t.Count)
}

func (m Model) checkEdge(field string, v int) error {
	if v%SizeStep != 0 {
		return domain.FieldErrorf(field, "must be a multiple of %d, not %d", SizeStep, v)
	}
	return m.Size.check(field, v)
}

// CheckParams returns CodeInvalid with the field at fault for parameters that the model does not accept.
func (m Model) CheckParams(p Params) error {
	if math.IsNaN(p.Guidance) || p.Guidance < m.Guidance.Min || p.Guidance > m.Guidance.Max {
		return domain.FieldErrorf("/guidance", "must be between %g and %g", m.Guidance.Min, m.Guidance.Max)
	}
	if !slices.Contains(m.Schedulers, p.Scheduler) {
		return domain.FieldErrorf("/scheduler", "model %s has no scheduler %q", m.Key, p.Scheduler)
	}
	if p.NegativePrompt && !m.NegativePrompt {
		return domain.FieldErrorf("/negative_prompt", "model %s has no negative prompt", m.Key)
	}
	return nil
}
