package invokeai

import (
	"slices"

	"github.com/pingvas/pingvas/workers/generate"
)

// offers returns the keys of the main models that a server can run now.
func (e *Engine) offers(k known) []string {
	var keys []string
	for key := range e.cfg.Models {
		if m, ok := e.main(k, key); ok {
			if _, whole := e.fluxParts(k); whole || m.Base != baseFlux {
				keys = append(keys, key)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func (e *Engine) main(k known, key string) (model, bool) {
	name := e.cfg.Models[key]
	if name == "" {
		return model{}, false
	}
	return k.find(name, "main", baseSDXL, baseFlux)
}

func (e *Engine) fluxParts(k known) (fluxParts, bool) {
	t5, hasT5 := k.part(e.cfg.Models[ModelFluxT5], "t5_encoder")
	clip, hasCLIP := k.part(e.cfg.Models[ModelFluxCLIP], "clip_embed")
	vae, hasVAE := k.part(e.cfg.Models[ModelFluxVAE], "vae")
	return fluxParts{t5, clip, vae}, hasT5 && hasCLIP && hasVAE
}

// resolve finds the models of a request on the server. A LoRA or a ControlNet that is not there is as bad as the model
// itself: without it the picture would be another one.
func (e *Engine) resolve(k known, r generate.Request) (plan, error) {
	p := plan{request: r, fluxScheduler: k.fluxScheduler}
	var ok bool
	if p.main, ok = e.main(k, r.Model); !ok {
		return plan{}, missing("model " + r.Model)
	}
	if p.main.Base == baseFlux {
		if p.flux, ok = e.fluxParts(k); !ok {
			return plan{}, missing("a part of FLUX")
		}
		if r.NegativePrompt != "" || len(r.Controls) > 0 {
			return plan{}, &generate.EngineError{
				Class: generate.ClassInvalid, Message: "FLUX has no negative prompt and no ControlNet here",
			}
		}
	}
	for _, l := range r.LoRAs {
		m, found := k.find(e.named(l.Key), "lora", p.main.Base)
		if !found {
			return plan{}, missing("LoRA " + l.Key)
		}
		p.loras = append(p.loras, chosenLoRA{m, l.Weight})
	}
	for _, c := range r.Controls {
		key := ControlKey(p.main.Base, c.Kind)
		m, found := k.find(e.named(key), "controlnet", p.main.Base)
		if !found {
			return plan{}, missing(key)
		}
		p.control = append(p.control, chosenControl{model: m, want: c})
	}
	return p, nil
}

// named returns the name on the server of a key of the catalogue.
func (e *Engine) named(key string) string {
	if name := e.cfg.Models[key]; name != "" {
		return name
	}
	return key
}

func missing(what string) error {
	return &generate.EngineError{Class: generate.ClassModelMissing, Message: what + " is not installed on the server"}
}
