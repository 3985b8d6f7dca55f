package s3dev

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
)

const (
	folderMode = 0o700
	bucketsDir = "buckets"
	uploadsDir = "uploads"
)

// store keeps objects as files named by the SHA-256 of their keys, so that no key can name a path.
type store struct {
	buckets, uploads string

	// mu makes "check, then rename or remove" one step. It is never held while a body is read.
	mu sync.Mutex
}

var _ gofakes3.Backend = (*store)(nil)

func openStore(dir string) (*store, error) {
	s := &store{buckets: filepath.Join(dir, bucketsDir), uploads: filepath.Join(dir, uploadsDir)}
	// What lies here was being uploaded when an earlier process died; nobody was told that it is stored.
	if err := os.RemoveAll(s.uploads); err != nil {
		return nil, fmt.Errorf("clear unfinished uploads: %w", err)
	}
	for _, folder := range []string{s.buckets, s.uploads} {
		if err := os.MkdirAll(folder, folderMode); err != nil {
			return nil, fmt.Errorf("make S3 data folder: %w", err)
		}
	}
	return s, nil
}

// bucketPath returns the folder of an existing bucket.
func (s *store) bucketPath(name string) (string, error) {
	if gofakes3.ValidateBucketName(name) != nil {
		return "", gofakes3.BucketNotFound(name)
	}
	path := filepath.Join(s.buckets, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", gofakes3.BucketNotFound(name)
	} else if err != nil {
		return "", fmt.Errorf("find bucket: %w", err)
	}
	return path, nil
}

// objectPath returns the file of a key in an existing bucket; the file need not exist.
func (s *store) objectPath(bucket, key string) (string, error) {
	path, err := s.bucketPath(bucket)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(path, name[:2], name[2:]), nil
}

// open returns an object and its file, which the caller closes.
func (s *store) open(bucket, key string) (*os.File, description, error) {
	path, err := s.objectPath(bucket, key)
	if err != nil {
		return nil, description{}, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, description{}, gofakes3.KeyNotFound(key)
	}
	if err != nil {
		return nil, description{}, fmt.Errorf("open object: %w", err)
	}
	about, err := readDescription(f)
	if err != nil {
		return nil, about, errors.Join(err, f.Close())
	}
	return f, about, nil
}

// GetObject implements gofakes3.Backend.
func (s *store) GetObject(bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	f, about, err := s.open(bucket, key)
	if err != nil {
		return nil, err
	}
	part, err := want.Range(about.Size)
	if err != nil {
		_ = f.Close() // joined to err it would hide the S3 code, which gofakes3 looks for without unwrapping
		return nil, err
	}
	start, length := int64(0), about.Size
	if part != nil {
		start, length = part.Start, part.Length
	}
	body := struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, start, length), f}
	return &gofakes3.Object{
		Name: key, Metadata: about.Headers, Size: about.Size, Hash: about.MD5, Range: part, Contents: body,
	}, nil
}

// HeadObject implements gofakes3.Backend.
func (s *store) HeadObject(bucket, key string) (*gofakes3.Object, error) {
	f, about, err := s.open(bucket, key)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("close object: %w", err)
	}
	return &gofakes3.Object{
		Name: key, Metadata: about.Headers, Size: about.Size, Hash: about.MD5,
		Contents: io.NopCloser(strings.NewReader("")),
	}, nil
}

// PutObject implements gofakes3.Backend: the object appears whole once all its bytes are on the disk.
func (s *store) PutObject(
	bucket, key string, headers map[string]string, input io.Reader, size int64, when *gofakes3.PutConditions,
) (gofakes3.PutObjectResult, error) {
	var none gofakes3.PutObjectResult
	path, err := s.objectPath(bucket, key)
	if err != nil {
		return none, err
	}
	f, err := os.CreateTemp(s.uploads, "*")
	if err != nil {
		return none, fmt.Errorf("start upload: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already once the object is in place
	about := description{Key: key, Size: size, Headers: kept(headers)}
	_, err = writeObject(f, about, input)
	if err := errors.Join(err, f.Close()); err != nil {
		if errors.Is(err, errPayload) || errors.Is(err, io.ErrUnexpectedEOF) {
			return none, gofakes3.ErrIncompleteBody
		}
		return none, err
	}
	return none, s.commit(f.Name(), path, bucket, key, when)
}

func (s *store) commit(from, to, bucket, key string, when *gofakes3.PutConditions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Again, because the bucket may have been removed during the upload.
	if _, err := s.bucketPath(bucket); err != nil {
		return err
	}
	if when != nil {
		f, about, err := s.open(bucket, key)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchKey) {
			return err
		}
		state := &gofakes3.ConditionalObjectInfo{Exists: err == nil, Hash: about.MD5}
		if err := gofakes3.CheckPutConditions(when, state); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), folderMode); err != nil {
		return fmt.Errorf("make object folder: %w", err)
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("put object in place: %w", err)
	}
	return nil
}

// DeleteObject implements gofakes3.Backend; a missing object is no error.
func (s *store) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	var none gofakes3.ObjectDeleteResult
	path, err := s.objectPath(bucket, key)
	if err != nil {
		return none, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return none, fmt.Errorf("delete object: %w", err)
	}
	return none, nil
}

// DeleteMulti implements gofakes3.Backend.
func (s *store) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var result gofakes3.MultiDeleteResult
	if _, err := s.bucketPath(bucket); err != nil {
		return result, err
	}
	for _, key := range keys {
		if _, err := s.DeleteObject(bucket, key); err != nil {
			result.Error = append(result.Error, gofakes3.ErrorResult{Key: key, Code: gofakes3.ErrInternal})
			continue
		}
		result.Deleted = append(result.Deleted, gofakes3.ObjectID{Key: key})
	}
	return result, nil
}

// CopyObject implements gofakes3.Backend; the verifier refuses copies before they come here.
func (s *store) CopyObject(_, _, _, _ string, _ map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, gofakes3.ErrNotImplemented
}

// kept drops what belongs to the request alone, such as its signature, from the headers that are stored.
func kept(headers map[string]string) map[string]string {
	keep := map[string]string{}
	for name, value := range headers {
		if !strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "X-Amz-Meta-") {
			keep[name] = value
		}
	}
	return keep
}
