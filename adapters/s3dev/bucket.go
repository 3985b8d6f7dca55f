package s3dev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// ListBuckets implements gofakes3.Backend.
func (s *store) ListBuckets() ([]gofakes3.BucketInfo, error) {
	entries, err := os.ReadDir(s.buckets)
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	var found []gofakes3.BucketInfo
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return nil, fmt.Errorf("describe bucket: %w", err)
		}
		found = append(found, gofakes3.BucketInfo{
			Name: entry.Name(), CreationDate: gofakes3.NewContentTime(info.ModTime()),
		})
	}
	return found, nil
}

// BucketExists implements gofakes3.Backend.
func (s *store) BucketExists(name string) (bool, error) {
	_, err := s.bucketPath(name)
	if gofakes3.HasErrorCode(err, gofakes3.ErrNoSuchBucket) {
		return false, nil
	}
	return err == nil, err
}

// CreateBucket implements gofakes3.Backend.
func (s *store) CreateBucket(name string) error {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return err
	}
	err := os.Mkdir(filepath.Join(s.buckets, name), folderMode)
	if errors.Is(err, fs.ErrExist) {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	if err != nil {
		return fmt.Errorf("create bucket: %w", err)
	}
	return nil
}

// DeleteBucket implements gofakes3.Backend: the bucket must be empty.
func (s *store) DeleteBucket(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := s.bucketPath(name)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(path, "*", "*"))
	if err != nil {
		return fmt.Errorf("list bucket: %w", err)
	}
	if len(files) > 0 {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("delete bucket: %w", err)
	}
	return nil
}

// ForceDeleteBucket implements gofakes3.Backend; no request of S3 leads here.
func (s *store) ForceDeleteBucket(string) error { return gofakes3.ErrNotImplemented }

// ListBucket implements gofakes3.Backend. It reads the description of every object of the bucket.
func (s *store) ListBucket(
	name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage,
) (*gofakes3.ObjectList, error) {
	all, err := s.contents(name)
	if err != nil {
		return nil, err
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	list := gofakes3.NewObjectList()
	last := ""
	for _, item := range all {
		var match gofakes3.PrefixMatch
		if item.Key <= page.Marker || !prefix.Match(item.Key, &match) {
			continue
		}
		if match.CommonPrefix && (match.MatchedPart == last || match.MatchedPart == page.Marker) {
			continue // folded into the common prefix that is listed already
		}
		if page.MaxKeys > 0 && int64(len(list.Contents)+len(list.CommonPrefixes)) == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, last
			return list, nil
		}
		if match.CommonPrefix {
			last = match.MatchedPart
			list.AddPrefix(last)
			continue
		}
		last = item.Key
		list.Add(item)
	}
	return list, nil
}

// contents returns all objects of a bucket in the order of their keys.
func (s *store) contents(name string) ([]*gofakes3.Content, error) {
	path, err := s.bucketPath(name)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(path, "*", "*"))
	if err != nil {
		return nil, fmt.Errorf("list bucket: %w", err)
	}
	var all []*gofakes3.Content
	for _, file := range files {
		item, err := describe(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since the folder was read
		}
		if err != nil {
			return nil, fmt.Errorf("describe object: %w", err)
		}
		all = append(all, item)
	}
	slices.SortFunc(all, func(a, b *gofakes3.Content) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

func describe(file string) (*gofakes3.Content, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	about, err := readDescription(f)
	if err != nil {
		return nil, err
	}
	return &gofakes3.Content{
		Key: about.Key, Size: about.Size, ETag: gofakes3.FormatETag(about.MD5),
		LastModified: gofakes3.NewContentTime(info.ModTime()), StorageClass: gofakes3.StorageStandard,
	}, nil
}
