package s3

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	minTTL = time.Second
	// maxTTL is the longest life that Signature Version 4 allows.
	maxTTL = 7 * 24 * time.Hour
)

// Upload says what a presigned PUT allows.
type Upload struct {
	Key         string
	ContentType string
	// Size, if above zero, is the exact number of bytes that the body must have; S3 cannot bound a PUT otherwise.
	Size int64
	// TTL is how long the URL works, 1 s to 7 days.
	TTL time.Duration
}

// PresignPut returns a URL that whoever holds it may PUT one object to, and the headers which that request must carry
// unchanged. The URL is a secret.
func (c *Client) PresignPut(ctx context.Context, up Upload) (string, http.Header, error) {
	if err := checkTTL(up.TTL); err != nil {
		return "", nil, err
	}
	in := &awss3.PutObjectInput{Bucket: &c.bucket, Key: &up.Key, ContentType: &up.ContentType}
	if up.Size > 0 {
		in.ContentLength = &up.Size
	}
	req, err := c.presign.PresignPutObject(ctx, in, awss3.WithPresignExpires(up.TTL))
	if err != nil {
		return "", nil, fmt.Errorf("presign upload of %q: %w", up.Key, err)
	}
	headers := req.SignedHeader.Clone()
	headers.Del("Host") // every HTTP client sets it from the URL
	return req.URL, headers, nil
}

// PresignGet returns a URL that whoever holds it may read the object from. With a file name browsers save the object
// under it, typed by its extension; without one they show it as stored. The URL is a secret.
func (c *Client) PresignGet(ctx context.Context, key, filename string, ttl time.Duration) (string, error) {
	if err := checkTTL(ttl); err != nil {
		return "", err
	}
	in := &awss3.GetObjectInput{Bucket: &c.bucket, Key: &key}
	if filename != "" {
		in.ResponseContentDisposition = aws.String(disposition(filename))
		if kind := contentType(filename); kind != "" {
			in.ResponseContentType = &kind
		}
	}
	req, err := c.presign.PresignGetObject(ctx, in, awss3.WithPresignExpires(ttl))
	if err != nil {
		return "", fmt.Errorf("presign download of %q: %w", key, err)
	}
	return req.URL, nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < minTTL || ttl > maxTTL {
		return fmt.Errorf("presign: life of %s is outside %s to %s", ttl, minTTL, maxTTL)
	}
	return nil
}

// disposition quotes the file name (RFC 6266); control characters and path separators become underscores.
func disposition(filename string) string {
	safe := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(filename, "_"))
	return mime.FormatMediaType("attachment", map[string]string{"filename": safe})
}

// contentType is fixed here because the system's MIME table differs from machine to machine.
func contentType(filename string) string {
	switch strings.ToLower(path.Ext(filename)) {
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".zip":
		return "application/zip"
	case ".json":
		return "application/json"
	case ".csv":
		return "text/csv; charset=utf-8"
	default:
		return ""
	}
}
