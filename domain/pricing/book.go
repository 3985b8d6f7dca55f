package pricing

import (
	"fmt"

	"github.com/pingvas/pingvas/domain"
)

// fluxStep is the edge in pixels of the blocks that FLUX works on.
const fluxStep = 2 * SizeStep

// percent is one whole.
const percent = 100

// unitPixels is the size that unit prices refer to.
const unitPixels = 1024 * 1024

// Book is one version of the prices. A version never changes once it is used.
type Book struct {
	Version string
	Models  []Model
}

// Line is one line of a price.
type Line struct {
	Label   string         `json:"label"`
	Unit    domain.Credits `json:"credits_per_image"`
	Images  int            `json:"images"`
	Credits domain.Credits `json:"credits"`
}

// Price is what terms cost.
type Price struct {
	Credits   domain.Credits
	Breakdown []Line
	Millis    int64 // estimated GPU time of all images
}

// Current returns the price book in force.
func Current() Book {
	drawing := []string{OperationTextToImage, OperationImageToImage}
	count, strength, weight := Range{1, CountMax, 1}, FloatRange{0.05, 1, 0.6}, FloatRange{-2, 2, 1}
	return Book{Version: "2026-11-28", Models: []Model{
		{
			Key: "sdxl-1.0", Name: "Stable Diffusion XL 1.0", Pool: PoolGPU, Operations: drawing,
			Size: Range{256, 2048, 1024}, SizeStep: SizeStep, Steps: Range{1, 100, 30}, Guidance: FloatRange{1, 20, 7},
			Schedulers: []string{"euler", "euler_a", "dpmpp_2m", "dpmpp_2m_k", "ddim"}, NegativePrompt: true,
			Weights: true, Count: count, Strength: strength,
			LoRAs: LoRAOffer{Max: 4, Weight: weight, Keys: []string{"detail-xl", "pixel-art-xl"}},
			Controls: ControlOffer{
				Max: 2, Weight: FloatRange{0, 2, 1}, Kinds: []ControlKind{{"canny", true}, {"depth", false}}, Percent: 50,
			},
			UnitCredits: 4, UnitMillis: 9000,
		},
		{
			Key: "flux-schnell", Name: "FLUX.1 [schnell]", Pool: PoolGPU, Operations: drawing,
			Size: Range{256, 2048, 1024}, SizeStep: fluxStep, Steps: Range{1, 12, 4}, Schedulers: []string{"euler"},
			Count: count, Strength: strength,
			LoRAs:    LoRAOffer{Max: 4, Weight: weight, Keys: []string{"flux-realism"}},
			Controls: ControlOffer{Kinds: []ControlKind{}}, UnitCredits: 2, UnitMillis: 6000,
		},
		{
			Key: "flux-dev", Name: "FLUX.1 [dev]", Pool: PoolGPU, Operations: drawing,
			Size: Range{256, 2048, 1024}, SizeStep: fluxStep, Steps: Range{1, 60, 28}, Guidance: FloatRange{0, 10, 3.5},
			Schedulers: []string{"euler", "heun"}, Count: count, Strength: strength,
			LoRAs:    LoRAOffer{Max: 4, Weight: weight, Keys: []string{"flux-realism"}},
			Controls: ControlOffer{Kinds: []ControlKind{}}, UnitCredits: 10, UnitMillis: 35000,
		},
	}}
}

// Model returns the model with this key, or CodeModelUnavailable.
func (b Book) Model(key string) (Model, error) {
	for _, m := range b.Models {
		if m.Key == key {
			return m, nil
		}
	}
	err := domain.Errorf(domain.CodeModelUnavailable, "there is no such model")
	err.Field = "/model"
	return Model{}, err
}

// Price returns what the terms cost, or CodeUnsupported or CodeModelUnavailable with the field at fault. The price of
// one image is the unit price scaled by pixels, steps and controls, rounded up to whole credits, and so at least 1.
func (b Book) Price(t Terms) (Price, error) {
	m, err := b.Model(t.Model)
	if err != nil {
		return Price{}, err
	}
	if err := m.Check(t); err != nil {
		return Price{}, err
	}
	work := int64(t.Width) * int64(t.Height) * int64(t.Steps) * int64(percent+t.Controls*m.Controls.Percent)
	unit := unitPixels * int64(m.Steps.Default) * percent
	each := domain.Credits(ceilDiv(int64(m.UnitCredits)*work, unit))
	total := each * domain.Credits(t.Count)
	label := fmt.Sprintf("%s, %d×%d, %d steps", m.Name, t.Width, t.Height, t.Steps)
	switch t.Controls {
	case 0:
	case 1:
		label += ", 1 control"
	default:
		label += fmt.Sprintf(", %d controls", t.Controls)
	}
	return Price{
		Credits:   total,
		Breakdown: []Line{{Label: label, Unit: each, Images: t.Count, Credits: total}},
		Millis:    ceilDiv(m.UnitMillis*work, unit) * int64(t.Count),
	}, nil
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
