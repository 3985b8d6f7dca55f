package picture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	signature = "\x89PNG\r\n\x1a\n"
	// chunkFrame is the bytes around a chunk's data: length, type and CRC, 4 bytes each.
	chunkFrame = 12
	// maxChunk is the largest data length that PNG allows, in bytes.
	maxChunk = 1<<31 - 1
)

// ErrCorrupt says that the input is not a whole PNG.
var ErrCorrupt = errors.New("not a valid PNG")

// chunk is one piece of a PNG file.
type chunk struct {
	kind string
	raw  []byte // the whole chunk with its frame
}

// split cuts a PNG into its chunks, IHDR first and IEND last. Bytes after IEND are left out: they are no part of the
// picture, and a second file may hide there.
func split(file []byte) ([]chunk, error) {
	if len(file) < len(signature) || string(file[:len(signature)]) != signature {
		return nil, fmt.Errorf("%w: the signature is missing", ErrCorrupt)
	}
	rest := file[len(signature):]
	var chunks []chunk
	for {
		c, err := first(rest)
		if err != nil {
			return nil, fmt.Errorf("%w: chunk %d %w", ErrCorrupt, len(chunks)+1, err)
		}
		if (c.kind == "IHDR") != (len(chunks) == 0) {
			return nil, fmt.Errorf("%w: IHDR must come first and once", ErrCorrupt)
		}
		chunks = append(chunks, c)
		if c.kind == "IEND" {
			return chunks, nil
		}
		rest = rest[len(c.raw):]
	}
}

func first(rest []byte) (chunk, error) {
	if len(rest) < chunkFrame {
		return chunk{}, errors.New("is cut off")
	}
	length := uint64(binary.BigEndian.Uint32(rest))
	if length > maxChunk || length+chunkFrame > uint64(len(rest)) {
		return chunk{}, errors.New("is longer than the file")
	}
	raw := rest[:length+chunkFrame]
	body, sum := raw[4:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return chunk{}, errors.New("has a wrong checksum")
	}
	return chunk{kind: string(body[:4]), raw: raw}, nil
}

func newChunk(kind string, data []byte) chunk {
	raw := make([]byte, 0, len(data)+chunkFrame)
	raw = binary.BigEndian.AppendUint32(raw, uint32(len(data)))
	raw = append(raw, kind...)
	raw = append(raw, data...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw[4:]))
	return chunk{kind: kind, raw: raw}
}

func join(chunks []chunk) []byte {
	size := len(signature)
	for _, c := range chunks {
		size += len(c.raw)
	}
	file := append(make([]byte, 0, size), signature...)
	for _, c := range chunks {
		file = append(file, c.raw...)
	}
	return file
}
