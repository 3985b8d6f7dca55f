package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Bounds of the demo's client.
const (
	callMax    = 30 * time.Second
	answerMax  = 4 << 20
	pictureMax = 64 << 20
	sseLineMax = 1 << 20
	watchMax   = 5 * time.Minute
)

// client uses the public API as any customer would: nothing but HTTP and JSON.
type client struct {
	url, secret string
	http        *http.Client
	position    string // of the newest command, for reading our own writes
}

func newClient(url string) *client { return &client{url: url, http: &http.Client{}} }

// call sends one request and decodes the answer into out, unless that is nil.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	response, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMax))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if position := response.Header.Get("Pingvas-Position"); method != http.MethodGet && position != "" {
		c.position = position
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func (c *client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost {
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	if c.secret != "" {
		request.Header.Set("Authorization", "Bearer "+c.secret)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return response, nil
}

// watch follows the server-sent events of a generation until its final status, calling see for each.
func (c *client) watch(ctx context.Context, path string, see func(event string, data []byte)) error {
	ctx, cancel := context.WithTimeout(ctx, watchMax)
	defer cancel()
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, sseLineMax)
	event := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch value = strings.TrimPrefix(value, " "); field {
		case "event":
			event = value
		case "data":
			see(event, []byte(value))
		}
	}
	return lines.Err()
}

// download fetches a picture from the URL that the API gave.
func (c *client) download(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("the URL of the picture is malformed") // the URL itself is a secret
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, errors.New("the picture store does not answer")
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("download the picture: %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, pictureMax))
}
