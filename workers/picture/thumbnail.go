package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

const (
	// MaxPixels is the largest picture that is decoded: four times the largest that our own engines make. Decoded it
	// takes at most 8 bytes per pixel, 128 MiB.
	MaxPixels = 4 * 2048 * 2048
	// thumbnailQuality is JPEG's scale of 1 to 100.
	thumbnailQuality = 85
)

// ErrTooLarge says that a picture has more than MaxPixels.
var ErrTooLarge = errors.New("picture has too many pixels")

// Thumbnail returns a JPEG of a PNG whose longer edge is at most maxEdge pixels, and its size in pixels. Small pictures
// are not enlarged; transparency becomes white. It returns ErrCorrupt or ErrTooLarge.
func Thumbnail(file []byte, maxEdge int) (small []byte, w, h int, err error) {
	if maxEdge < 1 {
		return nil, 0, 0, fmt.Errorf("make thumbnail: edge of %d pixels", maxEdge)
	}
	// The size is checked before decoding: a few hundred bytes can claim to be gigabytes of pixels.
	about, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if about.Width < 1 || about.Height < 1 {
		return nil, 0, 0, fmt.Errorf("%w: no pixels", ErrCorrupt)
	}
	if about.Width > MaxPixels/about.Height {
		return nil, 0, 0, fmt.Errorf("%w: %dx%d, limit %d", ErrTooLarge, about.Width, about.Height, MaxPixels)
	}
	full, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	w, h = fit(about.Width, about.Height, maxEdge)
	canvas := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(canvas, canvas.Bounds(), full, full.Bounds(), draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, canvas, &jpeg.Options{Quality: thumbnailQuality}); err != nil {
		return nil, 0, 0, fmt.Errorf("encode thumbnail: %w", err)
	}
	return out.Bytes(), w, h, nil
}

// fit scales a size down, never up, so that its longer edge is at most maxEdge and its shorter at least 1 pixel.
func fit(w, h, maxEdge int) (int, int) {
	long := max(w, h)
	if long <= maxEdge {
		return w, h
	}
	// Rounded to the nearest pixel.
	return max(1, (w*maxEdge+long/2)/long), max(1, (h*maxEdge+long/2)/long)
}
