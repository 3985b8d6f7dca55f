package picture_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/workers/picture"
)

const signature = "\x89PNG\r\n\x1a\n"

func sample(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.NRGBA{R: uint8(x), G: uint8(y), B: 80, A: 255})
		}
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return out.Bytes()
}

// insert puts a chunk behind IHDR.
func insert(file []byte, kind, data string) []byte {
	const afterIHDR = 8 + 12 + 13
	raw := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	raw = append(append(raw, kind...), data...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw[4:]))
	return append(append(append([]byte{}, file[:afterIHDR]...), raw...), file[afterIHDR:]...)
}

// texts reads the iTXt chunks of a well-formed PNG.
func texts(t *testing.T, file []byte) map[string]string {
	t.Helper()
	found := map[string]string{}
	for rest := file[len(signature):]; len(rest) > 0; {
		n := binary.BigEndian.Uint32(rest)
		if kind := string(rest[4:8]); kind == "iTXt" {
			keyword, value, ok := strings.Cut(string(rest[8:8+n]), "\x00\x00\x00\x00\x00")
			require.True(t, ok)
			require.NotContains(t, found, keyword)
			found[keyword] = value
		}
		rest = rest[n+12:]
	}
	return found
}

func metadata() picture.Metadata {
	return picture.Metadata{
		Generation: "01J", Engine: "sketch", EngineVersion: "1", Model: "sdxl", Prompt: "바다 위의 노을\x00\xff",
		NegativePrompt: "blurry", Seed: 4294967295, Steps: 30, Guidance: 7.5, Scheduler: "euler",
		Width: 64, Height: 32, CreatedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.FixedZone("KST", 9*3600)),
	}
}

func TestAnnotateWritesAllFields(t *testing.T) {
	t.Parallel()
	plain := sample(t, 64, 32)
	file, err := picture.Annotate(insert(plain, "tEXt", "invokeai_graph\x00{}"), metadata())
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"Software": "pingvas",
		"parameters": "바다 위의 노을\uFFFD\uFFFD\nNegative prompt: blurry\nSteps: 30, Sampler: euler, " +
			"CFG scale: 7.5, Seed: 4294967295, Size: 64x32, Model: sdxl, Version: sketch 1",
		"pingvas:generation": "01J", "pingvas:engine": "sketch", "pingvas:engine_version": "1",
		"pingvas:model": "sdxl", "pingvas:prompt": "바다 위의 노을\uFFFD\uFFFD", "pingvas:negative_prompt": "blurry",
		"pingvas:seed": "4294967295", "pingvas:steps": "30", "pingvas:guidance": "7.5", "pingvas:scheduler": "euler",
		"pingvas:width": "64", "pingvas:height": "32", "pingvas:created_at": "2026-11-22T00:00:00Z",
	}, texts(t, file))
	require.NotContains(t, string(file), "invokeai")

	again, err := picture.Annotate(file, metadata())
	require.NoError(t, err)
	require.Equal(t, file, again)
	_, err = png.Decode(bytes.NewReader(file))
	require.NoError(t, err)
	stripped, err := picture.Strip(file)
	require.NoError(t, err)
	require.Equal(t, plain, stripped)
}

func TestAnnotateLeavesOutWhatIsUnknown(t *testing.T) {
	t.Parallel()
	file, err := picture.Annotate(sample(t, 1, 1), picture.Metadata{Prompt: "a"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"Software": "pingvas", "parameters": "a\nSeed: 0", "pingvas:prompt": "a", "pingvas:seed": "0",
	}, texts(t, file))
}

func TestStripRemovesTextExifAndTail(t *testing.T) {
	t.Parallel()
	plain := sample(t, 8, 8)
	dirty := plain
	for _, kind := range []string{"tEXt", "zTXt", "iTXt", "eXIf"} {
		dirty = insert(dirty, kind, "secret of "+kind)
	}
	clean, err := picture.Strip(append(dirty, "PK\x03\x04 another file"...))
	require.NoError(t, err)
	require.Equal(t, plain, clean)

	coloured := insert(plain, "gAMA", "\x00\x00\xb1\x8f")
	clean, err = picture.Strip(coloured)
	require.NoError(t, err)
	require.Equal(t, coloured, clean, "chunks that change how pixels look stay")
}

func TestCorruptFilesAreNamedAsSuch(t *testing.T) {
	t.Parallel()
	whole := sample(t, 8, 8)
	flipped := bytes.Clone(whole)
	flipped[20] ^= 1
	endless := append([]byte(signature), 0xff, 0xff, 0xff, 0xff, 'I', 'H', 'D', 'R', 0, 0, 0, 0)
	for name, file := range map[string][]byte{
		"nothing": nil, "other format": []byte("GIF89a, this is not it"), "only signature": []byte(signature),
		"cut": whole[:len(whole)-20], "no end": whole[:len(whole)-12], "flipped bit": flipped, "endless chunk": endless,
		"second header": insert(whole, "IHDR", string(whole[16:29])),
	} {
		_, err := picture.Strip(file)
		require.ErrorIs(t, err, picture.ErrCorrupt, name)
		_, err = picture.Annotate(file, metadata())
		require.ErrorIs(t, err, picture.ErrCorrupt, name)
		if name != "no end" { // the decoder is content once it has all pixels
			_, _, _, err = picture.Thumbnail(file, 64)
			require.ErrorIs(t, err, picture.ErrCorrupt, name)
		}
	}
}

func TestThumbnailKeepsTheShape(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ w, h, edge, wantW, wantH int }{
		{400, 200, 100, 100, 50},
		{200, 400, 100, 50, 100},
		{60, 30, 100, 60, 30},
		{2000, 1, 100, 100, 1},
		{333, 333, 256, 256, 256},
		{5, 7, 1, 1, 1},
	} {
		small, w, h, err := picture.Thumbnail(sample(t, tc.w, tc.h), tc.edge)
		require.NoError(t, err)
		require.Equal(t, [2]int{tc.wantW, tc.wantH}, [2]int{w, h})
		img, err := jpeg.Decode(bytes.NewReader(small))
		require.NoError(t, err)
		require.Equal(t, image.Pt(w, h), img.Bounds().Size())
	}
	_, _, _, err := picture.Thumbnail(sample(t, 2, 2), 0)
	require.Error(t, err)
}

func TestThumbnailShowsTransparencyAsWhite(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, image.NewNRGBA(image.Rect(0, 0, 40, 40))))
	small, _, _, err := picture.Thumbnail(out.Bytes(), 10)
	require.NoError(t, err)
	img, err := jpeg.Decode(bytes.NewReader(small))
	require.NoError(t, err)
	r, g, b, _ := img.At(5, 5).RGBA()
	require.Equal(t, [3]uint32{0xffff, 0xffff, 0xffff}, [3]uint32{r, g, b})
}

func TestHugePictureIsRefusedBeforeDecoding(t *testing.T) {
	t.Parallel()
	// A header that claims 2^31-1 pixels square, with a right checksum.
	header := []byte{0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 8, 6, 0, 0, 0}
	for _, size := range [][8]byte{{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1}, {0, 0, 0x10, 1, 0, 0, 0x10, 0}} {
		copy(header, size[:])
		raw := binary.BigEndian.AppendUint32([]byte(signature), uint32(len(header)))
		raw = append(append(raw, "IHDR"...), header...)
		raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw[12:]))
		_, _, _, err := picture.Thumbnail(raw, 64)
		require.ErrorIs(t, err, picture.ErrTooLarge)
	}
}

func FuzzPicture(f *testing.F) {
	whole := sample(f, 4, 3)
	f.Add(whole)
	f.Add(insert(whole, "tEXt", "a\x00b"))
	f.Add(whole[:40])
	f.Fuzz(func(t *testing.T, file []byte) {
		if about, err := png.DecodeConfig(bytes.NewReader(file)); err == nil && about.Width > 1<<20/max(about.Height, 1) {
			return // legal but slow to fuzz
		}
		_, w, h, err := picture.Thumbnail(file, 16)
		if err == nil {
			require.True(t, w >= 1 && w <= 16 && h >= 1 && h <= 16)
		}
		clean, err := picture.Strip(file)
		if err != nil {
			require.ErrorIs(t, err, picture.ErrCorrupt)
			return
		}
		again, err := picture.Strip(clean)
		require.NoError(t, err)
		require.Equal(t, clean, again)
		marked, err := picture.Annotate(file, metadata())
		require.NoError(t, err)
		back, err := picture.Strip(marked)
		require.NoError(t, err)
		require.Equal(t, clean, back)
	})
}
