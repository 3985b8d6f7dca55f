package s3dev

import (
	"crypto/md5" // S3 defines the entity tag of a plain object as its MD5
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// An object is one file: the bytes, then a JSON description, then its length and a mark. Being one file, it can be
// renamed into place as a whole; bytes first, a picture in the folder opens in any viewer.
const (
	mark = "PVS3OBJ1"
	// tailSize is the length of the JSON (8 bytes, big endian) and of the mark.
	tailSize = 8 + len(mark)
	// maxDescription bounds the JSON in bytes.
	maxDescription = 64 << 10
)

var errCorrupt = errors.New("object file is not whole")

// description is what an object's file says beside its bytes.
type description struct {
	Key     string            `json:"key"`
	Size    int64             `json:"size"` // bytes
	MD5     []byte            `json:"md5"`
	Headers map[string]string `json:"headers"`
}

// writeObject copies the input to f and describes it; the input must have exactly size bytes.
func writeObject(f *os.File, about description, input io.Reader) (description, error) {
	sum := md5.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(input, about.Size+1))
	if err != nil {
		return about, fmt.Errorf("write object bytes: %w", err)
	}
	if n != about.Size {
		return about, fmt.Errorf("write object bytes: %w", io.ErrUnexpectedEOF)
	}
	about.MD5 = sum.Sum(nil)
	text, err := json.Marshal(about)
	if err != nil || len(text) > maxDescription {
		return about, fmt.Errorf("describe object in %d bytes: %w", len(text), errors.Join(err, errCorrupt))
	}
	tail := append(binary.BigEndian.AppendUint64(text, uint64(len(text))), mark...)
	if _, err := f.Write(tail); err != nil {
		return about, fmt.Errorf("write object description: %w", err)
	}
	if err := f.Sync(); err != nil {
		return about, fmt.Errorf("sync object: %w", err)
	}
	return about, nil
}

// readDescription reads the end of an object's file.
func readDescription(f *os.File) (description, error) {
	var about description
	info, err := f.Stat()
	if err != nil {
		return about, fmt.Errorf("stat object: %w", err)
	}
	tail := make([]byte, tailSize)
	end := info.Size() - int64(tailSize)
	if end < 0 {
		return about, errCorrupt
	}
	if _, err := f.ReadAt(tail, end); err != nil {
		return about, fmt.Errorf("read object tail: %w", err)
	}
	n := binary.BigEndian.Uint64(tail)
	if string(tail[8:]) != mark || n > maxDescription || int64(n) > end {
		return about, errCorrupt
	}
	text := make([]byte, n)
	if _, err := f.ReadAt(text, end-int64(n)); err != nil {
		return about, fmt.Errorf("read object description: %w", err)
	}
	if err := json.Unmarshal(text, &about); err != nil || about.Size != end-int64(n) {
		return about, errCorrupt
	}
	return about, nil
}
