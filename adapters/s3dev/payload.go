package s3dev

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strings"
)

// maxDocument is the largest XML request in bytes; a delete of 1000 keys of 1 KiB fits.
const maxDocument = 4 << 20

var errPayload = errors.New("the body does not have the signed SHA-256")

// checkUse refuses what is not supported, and arms the check of the signed body.
func checkUse(r *http.Request, payload string) *refusal {
	if !supported(r) {
		return &refusal{
			Status: http.StatusNotImplemented, Code: "NotImplemented",
			Message: "The development server stores, reads, lists and deletes whole objects, and nothing else.",
		}
	}
	if payload == unsignedPayload {
		return nil
	}
	want, err := hex.DecodeString(payload)
	if err != nil || len(want) != sha256.Size {
		return &refusal{
			Status: http.StatusNotImplemented, Code: "NotImplemented",
			Message: "The body must be signed as a whole or not at all.",
		}
	}
	r.Body = &signedBody{ReadCloser: r.Body, sum: sha256.New(), want: [sha256.Size]byte(want)}
	if r.Method == http.MethodPost {
		return readDocument(r)
	}
	return nil
}

// supported knows the requests that are served. gofakes3 ignores a subresource it does not know, so that it would take
// "PUT ?policy" for the making of a bucket; multipart uploads it would keep in memory only.
func supported(r *http.Request) bool {
	query := r.URL.Query()
	if r.Method == http.MethodPost && !query.Has("delete") || r.Header.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	for name := range query {
		switch name {
		case "x-id", "delete", "location", "list-type", "prefix", "delimiter", "max-keys", "marker",
			"continuation-token", "start-after", "encoding-type", "fetch-owner":
		default:
			if !strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "response-") {
				return false
			}
		}
	}
	return true
}

// readDocument checks an XML body before it is acted on: a decoder stops at the last tag and would not see the end.
func readDocument(r *http.Request) *refusal {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDocument))
	if err != nil {
		return &refusal{Status: http.StatusBadRequest, Code: "XAmzContentSHA256Mismatch", Message: "Bad body."}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// signedBody fails at its end, instead of io.EOF, when the bytes are not those that were signed.
type signedBody struct {
	io.ReadCloser
	sum  hash.Hash
	want [sha256.Size]byte
}

// Read implements io.Reader.
func (b *signedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if errors.Is(err, io.EOF) && [sha256.Size]byte(b.sum.Sum(nil)) != b.want {
		return n, errPayload
	}
	return n, err
}
