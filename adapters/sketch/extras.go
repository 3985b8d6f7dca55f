package sketch

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image/png"

	"github.com/pingvas/pingvas/workers/generate"
)

// coverWhole is a cover that lets nothing through.
const coverWhole = 256

// extras are the parts of a request that only give the picture another fingerprint: sketch has neither LoRAs nor
// ControlNets, and still two requests that differ look different.
func extras(r generate.Request) []string {
	var all []string
	for _, l := range r.LoRAs {
		all = append(all, fmt.Sprintf("lora %s %.3f", l.Key, l.Weight))
	}
	for _, c := range r.Controls {
		all = append(all, fmt.Sprintf("control %s %t %.3f %.3f %.3f %x", c.Kind, c.Preprocess, c.Weight, c.Begin, c.End,
			sha256.Sum256(c.Picture.PNG)))
	}
	return all
}

// begin puts a picture below the drawing, scaled to its size; the drawing covers it by the strength.
func (c *canvas) begin(file []byte, strength float64) error {
	img, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("decode the source: %w", err)
	}
	s, bounds := c.scene, img.Bounds()
	c.under = make([]uint8, 3*s.width*s.height)
	for y := range s.height {
		fromY := bounds.Min.Y + int(y)*bounds.Dy()/int(s.height)
		for x := range s.width {
			r, g, b, _ := img.At(bounds.Min.X+int(x)*bounds.Dx()/int(s.width), fromY).RGBA()
			copy(c.under[3*(s.width*y+x):], []uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)})
		}
	}
	c.cover = uint32(coverWhole * min(max(strength, 0), 1))
	return nil
}

// covered lays a channel over the one below.
func (c *canvas) covered(over, below uint8) uint8 {
	return uint8((uint32(over)*c.cover + uint32(below)*(coverWhole-c.cover)) / coverWhole)
}
