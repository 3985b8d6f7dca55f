package invokeai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of one call.
const (
	callTimeout     = 10 * time.Second
	enqueueTimeout  = 30 * time.Second
	transferTimeout = time.Minute
	// answerBytesMax bounds an answer in JSON: the items of a batch come with their whole graphs.
	answerBytesMax = 16 << 20
	schemaBytesMax = 32 << 20
	imageBytesMax  = 64 << 20
	// detailCharsMax bounds what is kept of the server's own words.
	detailCharsMax = 160
)

// client calls the routes of one server.
type client struct {
	base string
	http *http.Client
}

func newClient(base string, h *http.Client) *client {
	return &client{base: strings.TrimSuffix(base, "/"), http: h}
}

// statusError is an answer that is no success. It holds nothing of what was sent.
type statusError struct {
	route  string
	status int
	detail string
}

// Error implements error.
func (e *statusError) Error() string {
	if e.detail == "" {
		return fmt.Sprintf("%s: status %d", e.route, e.status)
	}
	return fmt.Sprintf("%s: status %d: %s", e.route, e.status, e.detail)
}

func hasStatus(err error, status int) bool {
	var e *statusError
	return errors.As(err, &e) && e.status == status
}

// call is one request. in is sent as JSON, unless body is set; out gets the decoded answer, or *[]byte the raw one.
type call struct {
	method  string
	path    string // below the server's address
	query   url.Values
	in      any
	body    io.Reader
	kind    string // of body
	out     any
	max     int64 // bytes of the answer; 0 means answerBytesMax
	timeout time.Duration
}

func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.do(ctx, call{method: http.MethodGet, path: path, query: query, out: out})
}

func (c *client) put(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, call{method: http.MethodPut, path: path, in: in, out: out})
}

// do makes a call. An answer without success is a *statusError; any other error means that it is unknown whether the
// call took effect.
func (c *client) do(ctx context.Context, in call) error {
	timeout, limit := in.timeout, in.max
	if timeout == 0 {
		timeout = callTimeout
	}
	if limit == 0 {
		limit = answerBytesMax
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := c.request(ctx, in)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", in.method, in.path, withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", in.method, in.path, err)
	}
	if int64(len(text)) > limit {
		return fmt.Errorf("the answer to %s %s is longer than %d bytes", in.method, in.path, limit)
	}
	if response.StatusCode/100 != 2 {
		return &statusError{in.method + " " + in.path, response.StatusCode, detailOf(text)}
	}
	return decode(in, text)
}

func (c *client) request(ctx context.Context, in call) (*http.Request, error) {
	body, kind := in.body, in.kind
	if in.in != nil {
		encoded, err := json.Marshal(in.in)
		if err != nil {
			return nil, fmt.Errorf("encode %s %s: %w", in.method, in.path, err)
		}
		body, kind = bytes.NewReader(encoded), "application/json"
	}
	target := c.base + in.path
	if len(in.query) > 0 {
		target += "?" + in.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, in.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make the request %s %s: %w", in.method, in.path, err)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	return request, nil
}

func decode(in call, text []byte) error {
	switch out := in.out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = text
		return nil
	}
	if err := json.Unmarshal(text, in.out); err != nil {
		return fmt.Errorf("decode the answer to %s %s: %w", in.method, in.path, err)
	}
	return nil
}

// detailOf keeps the kind and place of what was wrong. The server's texts may repeat what was sent, prompts included.
func detailOf(text []byte) string {
	var answer struct {
		Detail json.RawMessage `json:"detail"`
	}
	var faults []struct {
		Kind string `json:"type"`
		At   []any  `json:"loc"`
	}
	if json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer.Detail, &faults) != nil {
		return ""
	}
	var parts []string
	for _, f := range faults {
		parts = append(parts, fmt.Sprint(f.Kind, " at ", f.At))
	}
	return cut(strings.Join(parts, ", "), detailCharsMax)
}

func cut(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}

func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
