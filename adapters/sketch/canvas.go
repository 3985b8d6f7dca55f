package sketch

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
)

const (
	// rowsPerCheck is how many rows are drawn between two looks at the context; at 2048 pixels about 10 ms.
	rowsPerCheck = 16
	// previewEdge is the longer edge of a preview in pixels.
	previewEdge = 128
	// previewQuality is JPEG's scale of 1 to 100.
	previewQuality = 70
	// scatter is how far the first step's samples stray, in pixels of an image of 1024.
	scatter = 28
	// maxWeight is the weight of the last sample of a pixel.
	maxWeight = 64
)

// canvas sums up the samples of each pixel.
type canvas struct {
	scene  *scene
	steps  int
	sums   []uint32 // red, green, blue for each pixel; MaxSteps*maxWeight*full fits
	weight uint32   // of the passes that are complete
	under  []uint8  // red, green, blue of the picture below, or nil
	cover  uint32   // how much of it is covered, of coverWhole
}

func newCanvas(s *scene, steps int) *canvas {
	return &canvas{scene: s, steps: steps, sums: make([]uint32, 3*s.width*s.height)}
}

// pass adds one sample to each pixel. Later passes stray less and weigh more.
func (c *canvas) pass(ctx context.Context, step int, meter *meter) error {
	s := c.scene
	weight := c.weightOf(step)
	left := fix(c.steps-1-step) * one / fix(c.steps)
	// A pixel wide at the end, which is what smooths the edges.
	spread := one + mul(mul(left, left), left)*scatter*min(s.width, s.height)/1024
	grain := int32(mul(mul(left, left), full*one/3) >> bits)
	for y := range s.height {
		if y%rowsPerCheck == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			meter.drawn(c, step, int(y))
		}
		row := c.sums[3*s.width*y:][:3*s.width]
		for x := range s.width {
			h := cell(s.seed^uint64(step)<<32, x, y)
			dx, dy := mul(unit(h)-one/2, spread), mul(unit(h>>16)-one/2, spread)
			p := s.at(x<<bits+one/2+dx, y<<bits+one/2+dy)
			shift := int32(h>>32&0xffff)*grain>>bits - grain/2
			row[3*x] += weight * uint32(min(max(p.r+shift, 0), full))
			row[3*x+1] += weight * uint32(min(max(p.g+shift, 0), full))
			row[3*x+2] += weight * uint32(min(max(p.b+shift, 0), full))
		}
	}
	c.weight += weight
	return nil
}

// weightOf grows with the square of the step, so that the first samples leave no trace in the end.
func (c *canvas) weightOf(step int) uint32 {
	return uint32(max(1, maxWeight*(step+1)*(step+1)/(c.steps*c.steps)))
}

// pixel returns the mean of a pixel in 8 bits. A little fixed noise before rounding hides bands in wide gradients.
func (c *canvas) pixel(x, y int64, weight uint32) (r, g, b uint8) {
	sums := c.sums[3*(c.scene.width*y+x):][:3]
	h := uint32(cell(c.scene.seed, x, y) & 15)
	rest := uint32(one - c.scene.rim(x, y))
	narrow := func(sum uint32) uint8 { return uint8(min(sum/weight*rest>>bits+h, full) >> 4) }
	r, g, b = narrow(sums[0]), narrow(sums[1]), narrow(sums[2])
	if c.under != nil {
		below := c.under[3*(c.scene.width*y+x):][:3]
		r, g, b = c.covered(r, below[0]), c.covered(g, below[1]), c.covered(b, below[2])
	}
	return r, g, b
}

// encode returns the picture as PNG. It stops early when ctx ends.
func (c *canvas) encode(ctx context.Context) ([]byte, error) {
	s := c.scene
	img := image.NewNRGBA(image.Rect(0, 0, int(s.width), int(s.height)))
	for y := range s.height {
		row := img.Pix[int64(img.Stride)*y:][:4*s.width]
		for x := range s.width {
			row[4*x], row[4*x+1], row[4*x+2] = c.pixel(x, y, c.weight)
			row[4*x+3] = 0xff
		}
	}
	out := &cancellable{ctx: ctx}
	// Twice as fast as the default, for a file that is a fifth larger.
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := encoder.Encode(out, img)
	return out.Bytes(), err
}

// cancellable fails once its context has ended: encoding a large picture takes longer than a caller should wait.
type cancellable struct {
	bytes.Buffer
	ctx context.Context
}

// Write implements io.Writer.
func (w *cancellable) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, w.ctx.Err()
	}
	return w.Buffer.Write(p)
}

// preview is a small JPEG of the state after some passes; rows above upTo have the pass of step too.
func (c *canvas) preview(upTo, step int) []byte {
	s := c.scene
	long := max(s.width, s.height, previewEdge)
	w, h := max(1, s.width*previewEdge/long), max(1, s.height*previewEdge/long)
	img := image.NewRGBA(image.Rect(0, 0, int(w), int(h)))
	for y := range h {
		for x := range w {
			px, py := (2*x+1)*s.width/(2*w), (2*y+1)*s.height/(2*h)
			weight := c.weight
			if py < int64(upTo) {
				weight += c.weightOf(step)
			}
			if weight > 0 {
				r, g, b := c.pixel(px, py, weight)
				img.SetRGBA(int(x), int(y), color.RGBA{R: r, G: g, B: b, A: 0xff})
			}
		}
	}
	var out bytes.Buffer
	if jpeg.Encode(&out, img, &jpeg.Options{Quality: previewQuality}) != nil {
		return nil // a buffer cannot fail, and a preview is optional
	}
	return out.Bytes()
}
