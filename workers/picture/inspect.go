package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	"golang.org/x/image/webp"
)

// Bounds of a picture that somebody brings along. A file of a few bytes can claim any size, so the size that it claims
// is looked at before anything is decoded.
const (
	InputBytesMax  = 20 << 20
	InputEdgeMin   = 64   // pixels
	InputEdgeMax   = 4096 // pixels
	InputPixelsMax = 4096 * 4096
	// inspectMax bounds the time of decoding one: a small file may have very many passes over its pixels.
	inspectMax = 10 * time.Second
)

// The content types that are taken.
const (
	TypePNG  = "image/png"
	TypeJPEG = "image/jpeg"
	TypeWebP = "image/webp"
)

// BadInputError says why a picture is not taken, in words for whoever has brought it.
type BadInputError struct{ Reason string }

// Error implements error.
func (e *BadInputError) Error() string { return "the picture is not taken: it " + e.Reason }

func bad(format string, args ...any) error { return &BadInputError{fmt.Sprintf(format, args...)} }

// Info is what a picture was found to be.
type Info struct {
	ContentType   string
	Width, Height int
}

// Inspect decodes a picture to its end and returns what it is, or a *BadInputError. It returns ctx's error if ctx ends
// before it is done.
func Inspect(ctx context.Context, file []byte) (Info, error) {
	info, _, err := decode(ctx, file)
	return info, err
}

// Normalise returns the picture as a PNG of its pixels and nothing else: no metadata, no bytes behind its end, no
// transparency. Its errors are those of Inspect.
func Normalise(ctx context.Context, file []byte) ([]byte, Info, error) {
	info, img, err := decode(ctx, file)
	if err != nil {
		return nil, info, err
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&out, opaque{img}); err != nil {
		return nil, info, fmt.Errorf("encode an input: %w", err)
	}
	return out.Bytes(), info, nil
}

// format is one kind of file.
type format struct {
	kind   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

// formatOf goes by the first bytes, whatever the file is called.
func formatOf(file []byte) (format, bool) {
	switch {
	case bytes.HasPrefix(file, []byte(signature)):
		return format{TypePNG, png.DecodeConfig, png.Decode}, true
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		return format{TypeJPEG, jpeg.DecodeConfig, jpeg.Decode}, true
	case len(file) > 12 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WEBP":
		return format{TypeWebP, webp.DecodeConfig, webp.Decode}, true
	}
	return format{}, false
}

func decode(ctx context.Context, file []byte) (Info, image.Image, error) {
	if len(file) > InputBytesMax {
		return Info{}, nil, bad("has more than %d MiB", InputBytesMax>>20)
	}
	f, ok := formatOf(file)
	if !ok {
		return Info{}, nil, bad("is no PNG, JPEG or WebP")
	}
	about, err := f.config(bytes.NewReader(file))
	if err != nil {
		return Info{}, nil, bad("is damaged")
	}
	info := Info{f.kind, about.Width, about.Height}
	if min(info.Width, info.Height) < InputEdgeMin || max(info.Width, info.Height) > InputEdgeMax ||
		info.Width*info.Height > InputPixelsMax {
		return info, nil, bad("has %d×%d pixels, and each edge must have %d to %d", info.Width, info.Height, InputEdgeMin,
			InputEdgeMax)
	}
	limited, cancel := context.WithTimeout(ctx, inspectMax)
	defer cancel()
	img, err := f.decode(&timed{limited, bytes.NewReader(file)})
	switch {
	case ctx.Err() != nil:
		return info, nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded) || limited.Err() != nil:
		return info, nil, bad("takes too long to decode")
	case err != nil:
		return info, nil, bad("is damaged")
	case img.Bounds().Dx() != info.Width || img.Bounds().Dy() != info.Height:
		return info, nil, bad("is not as large as it says")
	}
	return info, img, nil
}

// timed stops a decoder that reads on after its time.
type timed struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (t *timed) Read(p []byte) (int, error) {
	if err := t.ctx.Err(); err != nil {
		return 0, err
	}
	const chunk = 4 << 10 // so that little is decoded between two looks at the clock
	return t.r.Read(p[:min(len(p), chunk)])
}

// opaque is a picture without transparency, on white.
type opaque struct{ image.Image }

// ColorModel implements image.Image.
func (opaque) ColorModel() color.Model { return color.RGBAModel }

// Opaque tells the encoder to leave the alpha channel out.
func (opaque) Opaque() bool { return true }

// At implements image.Image.
func (o opaque) At(x, y int) color.Color {
	r, g, b, a := o.Image.At(x, y).RGBA() // times a, which is what white has to fill
	rest := 0xffff - a
	return color.RGBA{uint8((r + rest) >> 8), uint8((g + rest) >> 8), uint8((b + rest) >> 8), 0xff}
}
