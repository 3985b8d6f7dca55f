package invokeai

// canaryEdge is the size of the canary's picture in pixels.
const canaryEdge = 64

// canary is a graph that needs no model and still goes the whole way of a job: queue, nodes, a picture on the disk.
// The same seed gives the same picture.
func canary() drawing {
	b := newBuilder()
	b.add("blank", "blank_image", Node{
		"width": canaryEdge, "height": canaryEdge, "mode": "RGB", "color": Node{"r": 60, "g": 90, "b": 140, "a": 255},
	})
	b.add(nodeNoise, "img_noise", Node{"seed": 0, "noise_type": "gaussian", "amount": 0.5, "noise_color": true})
	b.add(nodeOut, "save_image", nil)
	b.join("blank.image", nodeNoise+".image")
	b.join(nodeNoise+".image", nodeOut+".image")
	return drawing{b.g, nodeNoise, "seed"}
}
