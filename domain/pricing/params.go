package pricing

import (
	"fmt"
	"slices"
)

// LoRA is a small model that a request adds to the main one.
type LoRA struct {
	Key    string  `json:"key"`
	Weight float64 `json:"weight"`
}

// LoRAOffer says which LoRAs a model takes.
type LoRAOffer struct {
	Max    int        `json:"max"` // in one request
	Weight FloatRange `json:"weight"`
	Keys   []string   `json:"keys"`
}

// Control holds the drawing to the lines or the depth of a picture.
type Control struct {
	Kind string `json:"kind"`
	// Preprocess says that the picture is a photograph, of which the lines are drawn first.
	Preprocess bool    `json:"preprocess,omitempty"`
	Weight     float64 `json:"weight"`
	// Begin and End are the part of the steps in which it acts.
	Begin float64 `json:"begin"`
	End   float64 `json:"end"`
}

// ControlOffer says which controls a model takes.
type ControlOffer struct {
	Max    int           `json:"max"` // in one request
	Weight FloatRange    `json:"weight"`
	Kinds  []ControlKind `json:"kinds"`
	// Percent of a picture's price and time that each one adds.
	Percent int `json:"percent"`
}

// ControlKind is one kind of control.
type ControlKind struct {
	Key        string `json:"key"`
	Preprocess bool   `json:"preprocess"` // whether it takes photographs
}

// Params are the parts of a request that the model constrains without pricing them.
type Params struct {
	Operation      string
	Prompt         string
	NegativePrompt string
	Guidance       float64
	Scheduler      string
	Source         bool // whether there is a picture to begin with
	Strength       float64
	LoRAs          []LoRA
	Controls       []Control
}

// CheckParams returns CodeUnsupported with the field at fault for parameters that the model does not accept.
func (m Model) CheckParams(p Params) error {
	if err := m.Guidance.check("/guidance", p.Guidance); err != nil {
		return err
	}
	if !slices.Contains(m.Schedulers, p.Scheduler) {
		return unsupported("/scheduler", "model %s has no such scheduler", m.Key)
	}
	if p.NegativePrompt != "" && !m.NegativePrompt {
		return unsupported("/negative_prompt", "model %s has no negative prompt", m.Key)
	}
	if m.Weights {
		if err := CheckWeights("/prompt", p.Prompt); err != nil {
			return err
		}
		if err := CheckWeights("/negative_prompt", p.NegativePrompt); err != nil {
			return err
		}
	}
	if err := m.checkSource(p); err != nil {
		return err
	}
	if err := m.checkLoRAs(p.LoRAs); err != nil {
		return err
	}
	return m.checkControls(p.Controls)
}

func (m Model) checkSource(p Params) error {
	switch wanted := p.Operation == OperationImageToImage; {
	case wanted && !p.Source:
		return unsupported("/source", "image_to_image begins with a picture")
	case !wanted && p.Source:
		return unsupported("/source", "%s takes no picture to begin with", p.Operation)
	case !wanted && p.Strength != 0:
		return unsupported("/strength", "%s has no strength", p.Operation)
	case wanted:
		return m.Strength.check("/strength", p.Strength)
	}
	return nil
}

func (m Model) checkLoRAs(wanted []LoRA) error {
	if len(wanted) > m.LoRAs.Max {
		return unsupported("/loras", "model %s takes %d at most", m.Key, m.LoRAs.Max)
	}
	seen := map[string]bool{}
	for i, l := range wanted {
		field := fmt.Sprintf("/loras/%d", i)
		if !slices.Contains(m.LoRAs.Keys, l.Key) {
			return unsupported(field+"/key", "model %s has no such LoRA", m.Key)
		}
		if seen[l.Key] {
			return unsupported(field+"/key", "is named twice")
		}
		seen[l.Key] = true
		if err := m.LoRAs.Weight.check(field+"/weight", l.Weight); err != nil {
			return err
		}
	}
	return nil
}

func (m Model) checkControls(wanted []Control) error {
	for i, c := range wanted {
		field := fmt.Sprintf("/controls/%d", i)
		at := slices.IndexFunc(m.Controls.Kinds, func(k ControlKind) bool { return k.Key == c.Kind })
		switch {
		case at < 0:
			return unsupported(field+"/kind", "model %s has no such control", m.Key)
		case c.Preprocess && !m.Controls.Kinds[at].Preprocess:
			return unsupported(field+"/preprocess", "%s takes no photographs, only what it was trained on", c.Kind)
		case !(c.Begin >= 0 && c.Begin < c.End && c.End <= 1):
			return unsupported(field+"/end", "begin and end are parts of the steps, 0 to 1, the end after the begin")
		}
		if err := m.Controls.Weight.check(field+"/weight", c.Weight); err != nil {
			return err
		}
	}
	return nil
}
