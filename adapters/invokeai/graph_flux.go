package invokeai

import "math"

// fluxStrength bends the strength of image_to_image as the server's own interface does: FLUX decides what a picture
// shows in its very first steps.
const fluxStrength = 0.2

// flux1 is the graph of FLUX.1, both variants. Only [dev] takes a guidance. There is no negative prompt: the model has
// none without a second pass that doubles the time.
func (p plan) flux1() drawing {
	r, b := p.request, newBuilder()
	b.add(nodeModel, "flux_model_loader", Node{
		"model": p.main.identifier(), "t5_encoder_model": p.flux.t5.identifier(),
		"clip_embed_model": p.flux.clip.identifier(), "vae_model": p.flux.vae.identifier(),
	})
	from := p.weighed(b, "flux_lora_collection_loader", "transformer", "clip", "t5_encoder")
	b.add("positive", "flux_text_encoder", Node{"prompt": r.Prompt})
	b.join(from+".clip", "positive.clip")
	b.join(from+".t5_encoder", "positive.t5_encoder")
	b.join(nodeModel+".max_seq_len", "positive.t5_max_seq_len")
	denoise := Node{
		"num_steps": r.Steps, "width": r.Width, "height": r.Height, "seed": 0, "cfg_scale": 1.0,
		"denoising_start": 0.0, "denoising_end": 1,
	}
	if p.source != nil {
		denoise["denoising_start"] = 1 - math.Pow(r.Strength, fluxStrength)
	}
	if r.Guidance > 0 {
		denoise["guidance"] = r.Guidance
	}
	if p.fluxScheduler {
		denoise["scheduler"] = r.Scheduler
	}
	b.add(nodeDenoise, "flux_denoise", denoise)
	b.add(nodeOut, "flux_vae_decode", nil)
	b.join(from+".transformer", nodeDenoise+".transformer")
	b.join("positive.conditioning", nodeDenoise+".positive_text_conditioning")
	b.join(nodeDenoise+".latents", nodeOut+".latents")
	b.join(nodeModel+".vae", nodeOut+".vae")
	if p.source != nil {
		p.encoded(b, "flux_vae_encode", nil)
	}
	return drawing{b.g, nodeDenoise, "seed"}
}
