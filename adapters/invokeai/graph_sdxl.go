package invokeai

import "maps"

// sdxl is the graph of Stable Diffusion XL.
func (p plan) sdxl() drawing {
	r, b := p.request, newBuilder()
	b.add(nodeModel, "sdxl_model_loader", Node{"model": p.main.identifier()})
	from := p.weighed(b, "sdxl_lora_collection_loader", "unet", "clip", "clip2")
	p.sdxlPrompt(b, "positive", from, r.Prompt)
	p.sdxlPrompt(b, "negative", from, r.NegativePrompt)
	// The same noise on every device, so that a seed gives the same picture.
	b.add(nodeNoise, "noise", Node{"seed": 0, "width": r.Width, "height": r.Height, "use_cpu": true})
	start := 0.0
	if p.source != nil {
		start = 1 - r.Strength
	}
	b.add(nodeDenoise, "denoise_latents", Node{
		"steps": r.Steps, "cfg_scale": r.Guidance, "scheduler": r.Scheduler,
		"denoising_start": start, "denoising_end": 1, "cfg_rescale_multiplier": 0,
	})
	// In half precision the VAE of SDXL makes black pictures.
	b.add(nodeOut, "l2i", Node{"fp32": true})
	b.join(from+".unet", nodeDenoise+".unet")
	b.join("positive.conditioning", nodeDenoise+".positive_conditioning")
	b.join("negative.conditioning", nodeDenoise+".negative_conditioning")
	b.join(nodeNoise+".noise", nodeDenoise+".noise")
	b.join(nodeDenoise+".latents", nodeOut+".latents")
	b.join(nodeModel+".vae", nodeOut+".vae")
	if p.source != nil {
		p.encoded(b, "i2l", Node{"fp32": true})
	}
	p.controlled(b)
	return drawing{b.g, nodeNoise, "seed"}
}

func (p plan) sdxlPrompt(b *builder, id, from, text string) {
	r, text := p.request, compelText(text)
	b.add(id, "sdxl_compel_prompt", Node{
		"prompt": text, "style": text, "original_width": r.Width, "original_height": r.Height,
		"target_width": r.Width, "target_height": r.Height, "crop_top": 0, "crop_left": 0,
	})
	b.join(from+".clip", id+".clip")
	b.join(from+".clip2", id+".clip2")
}

// encoded adds the picture that the denoising begins with.
func (p plan) encoded(b *builder, kind string, fields Node) {
	image, edge := p.sized(b, "source", *p.source)
	maps.Copy(image, fields)
	b.add("encoded", kind, image)
	if edge != "" {
		b.join(edge, "encoded.image")
	}
	b.join(nodeModel+".vae", "encoded.vae")
	b.join("encoded.latents", nodeDenoise+".latents")
}

// controlled adds the ControlNets. A photograph is made into what the net was trained on first.
func (p plan) controlled(b *builder) {
	if len(p.control) == 0 {
		return
	}
	b.add("controls", "collect", nil)
	for i, c := range p.control {
		id := numbered("control", i)
		fields, edge := p.sized(b, numbered("sized", i), c.image)
		if c.want.Preprocess {
			lines := numbered("lines", i)
			b.add(lines, "canny_edge_detection", fields)
			if edge != "" {
				b.join(edge, lines+".image")
			}
			fields, edge = Node{}, lines+".image"
		}
		maps.Copy(fields, Node{
			"control_model": c.model.identifier(), "control_weight": c.want.Weight,
			"begin_step_percent": c.want.Begin, "end_step_percent": c.want.End,
			"control_mode": "balanced", "resize_mode": "just_resize",
		})
		b.add(id, "controlnet", fields)
		if edge != "" {
			b.join(edge, id+".image")
		}
		b.join(id+".control", "controls.item")
	}
	b.join("controls.collection", nodeDenoise+".control")
}
