package invokeai

import (
	"github.com/pingvas/pingvas/workers/generate"
)

// The families of models that graphs are known for.
const (
	baseSDXL = "sdxl"
	baseFlux = "flux"
)

// plan is everything that a graph is made of. A graph depends on nothing else.
type plan struct {
	request generate.Request
	main    model
	loras   []chosenLoRA
	// control has one entry for each of the request's.
	control []chosenControl
	// flux has the other parts of a FLUX pipeline.
	flux fluxParts
	// source is the name of the uploaded picture that image_to_image begins with.
	source *upload
	// fluxScheduler says that the server's flux_denoise has a scheduler.
	fluxScheduler bool
}

type fluxParts struct{ t5, clip, vae model }

type chosenLoRA struct {
	model  model
	weight float64
}

type chosenControl struct {
	model model
	want  generate.Control
	image upload
}

// upload is a picture on the server.
type upload struct {
	name          string
	width, height int
}

func (u upload) field() Node { return Node{"image_name": u.name} }

// draw returns the graph for one picture, with the field that takes its seed.
func (p plan) draw() drawing {
	if p.main.Base == baseFlux {
		return p.flux1()
	}
	return p.sdxl()
}

// weighed adds the LoRAs to the model and returns the node whose outputs are to be used instead of the model's.
func (p plan) weighed(b *builder, loader string, fields ...string) string {
	if len(p.loras) == 0 {
		return nodeModel
	}
	b.add("loras", "collect", nil)
	b.add("weighed", loader, nil)
	for i, l := range p.loras {
		id := numbered("lora", i)
		b.add(id, "lora_selector", Node{"lora": l.model.identifier(), "weight": l.weight})
		b.join(id+".lora", "loras.item")
	}
	b.join("loras.collection", "weighed.loras")
	for _, field := range fields {
		b.join(nodeModel+"."+field, "weighed."+field)
	}
	return "weighed"
}

// sized adds what scales a picture to the size asked for, where it has another, and returns where to read it.
func (p plan) sized(b *builder, id string, image upload) (fields Node, edge string) {
	if image.width == p.request.Width && image.height == p.request.Height {
		return Node{"image": image.field()}, ""
	}
	b.add(id, "img_resize", Node{
		"image": image.field(), "width": p.request.Width, "height": p.request.Height, "resample_mode": "lanczos",
	})
	return Node{}, id + ".image"
}

func numbered(name string, i int) string { return name + string(rune('0'+i)) }
