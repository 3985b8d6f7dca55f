package picture_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/picture"
)

func photo(width, height int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(y), 90, uint8(255 - x%2*128)})
		}
	}
	return img
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return out.Bytes()
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, img, nil))
	return out.Bytes()
}

// bomb is a PNG of a few bytes that claims a size.
func bomb(width, height uint32) []byte {
	chunk := func(kind string, data []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		out = append(append(out, kind...), data...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	var data bytes.Buffer
	w := zlib.NewWriter(&data)
	_, _ = w.Write(make([]byte, 1<<20))
	_ = w.Close()
	file := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 8, 6, 0, 0, 0))...)
	return append(append(file, chunk("IDAT", data.Bytes())...), chunk("IEND", nil)...)
}

func TestInspectTellsWhatAPictureIs(t *testing.T) {
	t.Parallel()
	info, err := picture.Inspect(t.Context(), asPNG(t, photo(80, 120)))
	require.NoError(t, err)
	require.Equal(t, picture.Info{ContentType: picture.TypePNG, Width: 80, Height: 120}, info)
	info, err = picture.Inspect(t.Context(), asJPEG(t, photo(65, 64)))
	require.NoError(t, err)
	require.Equal(t, picture.Info{ContentType: picture.TypeJPEG, Width: 65, Height: 64}, info)
	// 96×64 pixels of one colour, as libwebp writes them.
	webp, err := base64.StdEncoding.DecodeString("UklGRiQAAABXRUJQVlA4TBcAAAAvX8APAAdQ5CrUo/8BICH8ny9F9D/1BwA=")
	require.NoError(t, err)
	info, err = picture.Inspect(t.Context(), webp)
	require.NoError(t, err)
	require.Equal(t, picture.Info{ContentType: picture.TypeWebP, Width: 96, Height: 64}, info)
}

func requireBad(t *testing.T, err error) {
	t.Helper()
	var refused *picture.BadInputError
	require.ErrorAs(t, err, &refused)
	require.NotEmpty(t, refused.Reason)
}

func TestInspectRefusesWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	whole := asPNG(t, photo(100, 100))
	corrupt := bytes.Clone(whole)
	corrupt[len(corrupt)/2] ^= 0xff
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("<svg onload=x>"), "cut off": whole[:len(whole)/2], "corrupt": corrupt,
		"a claim of 4 gigapixels": bomb(1<<16, 1<<16), "too wide": bomb(4097, 64), "too small": asPNG(t, photo(63, 64)),
		"less than it says": bomb(4096, 4096), "a header alone": whole[:33], "JPEG header": []byte("\xff\xd8\xff\xe0"),
		"WebP header": []byte("RIFF\x00\x00\x00\x00WEBPVP8 "), "too many bytes": make([]byte, picture.InputBytesMax+1),
	} {
		_, err := picture.Inspect(t.Context(), file)
		require.Error(t, err, name)
		requireBad(t, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := picture.Inspect(ended, whole)
	require.ErrorIs(t, err, context.Canceled)
}

func TestNormaliseKeepsThePixelsAlone(t *testing.T) {
	t.Parallel()
	file, err := picture.Annotate(asPNG(t, photo(90, 70)), picture.Metadata{Prompt: "secret words"})
	require.NoError(t, err)
	plain, info, err := picture.Normalise(t.Context(), append(file, "and a second file"...))
	require.NoError(t, err)
	require.Equal(t, 90, info.Width)
	require.NotContains(t, string(plain), "secret words")
	require.NotContains(t, string(plain), "second file")
	img, err := png.Decode(bytes.NewReader(plain))
	require.NoError(t, err)
	require.True(t, img.(interface{ Opaque() bool }).Opaque())
	require.Equal(t, color.RGBA{4, 8, 90, 255}, color.RGBAModel.Convert(img.At(4, 8)))
	half := color.RGBAModel.Convert(img.At(5, 8)).(color.RGBA)
	require.InDelta(t, (5*127+255*128)/255, int(half.R), 1, "transparency is filled with white")
}

func FuzzInspect(f *testing.F) {
	f.Add(asPNG(f, photo(64, 64)))
	f.Add(asJPEG(f, photo(64, 64)))
	f.Add(bomb(1<<20, 1<<20))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8L"))
	f.Fuzz(func(t *testing.T, file []byte) {
		plain, info, err := picture.Normalise(t.Context(), file)
		if err != nil {
			requireBad(t, err)
			return
		}
		again, err := picture.Inspect(t.Context(), plain)
		require.NoError(t, err)
		require.Equal(t, picture.Info{ContentType: picture.TypePNG, Width: info.Width, Height: info.Height}, again)
	})
}
