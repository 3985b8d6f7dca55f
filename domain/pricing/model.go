package pricing

import (
	"math"
	"slices"

	"github.com/pingvas/pingvas/domain"
)

// The operations.
const (
	// OperationTextToImage draws a picture from a prompt alone.
	OperationTextToImage = "text_to_image"
	// OperationImageToImage begins with a picture and changes it.
	OperationImageToImage = "image_to_image"
)

// PoolGPU is the pool of workers that run models themselves.
const PoolGPU = "gpu"

// Bounds that hold for every model.
const (
	PromptRunesMax = 4000
	SizeStep       = 8 // pixels; latent models work on blocks of this edge, or of a multiple of it
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
		return unsupported(field, "must be between %d and %d, not %d", r.Min, r.Max, v)
	}
	return nil
}

// FloatRange is a closed interval with a default. A zero Max means that the model has no such parameter.
type FloatRange struct {
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Default float64 `json:"default"`
}

func (r FloatRange) check(field string, v float64) error {
	if math.IsNaN(v) || v < r.Min || v > r.Max {
		return unsupported(field, "must be between %g and %g", r.Min, r.Max)
	}
	return nil
}

// Model says what one model accepts and what it costs.
type Model struct {
	Key            string     `json:"key"`
	Name           string     `json:"name"`
	Pool           string     `json:"pool"`
	Operations     []string   `json:"operations"`
	Size           Range      `json:"size"` // pixels per edge, a multiple of SizeStep
	SizeStep       int        `json:"size_step"`
	Steps          Range      `json:"steps"`
	Guidance       FloatRange `json:"guidance"`
	Schedulers     []string   `json:"schedulers"` // the first is the default
	NegativePrompt bool       `json:"negative_prompt"`
	// Weights says that parts of a prompt may be weighed: see CheckWeights.
	Weights bool  `json:"prompt_weights"`
	Count   Range `json:"count"`
	// Strength is how much of a source may change; it counts for image_to_image.
	Strength FloatRange   `json:"strength"`
	LoRAs    LoRAOffer    `json:"loras"`
	Controls ControlOffer `json:"controls"`
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
	// Controls is the number of pictures that hold the drawing to their lines or depth.
	Controls int `json:"controls,omitempty"`
}

// Check returns CodeUnsupported with the field at fault for terms that the model does not accept.
func (m Model) Check(t Terms) error {
	if !slices.Contains(m.Operations, t.Operation) {
		return unsupported("/operation", "model %s does not do %q", m.Key, t.Operation)
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
	if t.Controls < 0 || t.Controls > m.Controls.Max {
		return unsupported("/controls", "model %s takes %d at most", m.Key, m.Controls.Max)
	}
	return m.Count.check("/count", t.Count)
}

func (m Model) checkEdge(field string, v int) error {
	if v%m.SizeStep != 0 {
		return unsupported(field, "must be a multiple of %d, not %d", m.SizeStep, v)
	}
	return m.Size.check(field, v)
}
