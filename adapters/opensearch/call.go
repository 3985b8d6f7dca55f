package opensearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

const (
	// answerBytesMax bounds what is read of an answer.
	answerBytesMax = 32 << 20
	// triesMax is how often a request is tried within its time before the caller hears of it.
	triesMax = 6
	// The pause between tries, doubled each time.
	pauseFirst = 50 * time.Millisecond
	pauseMax   = time.Second
)

// statusError is an answer that is not a success.
type statusError struct {
	Status int
	Type   string
	Reason string
}

// Error implements error.
func (e *statusError) Error() string {
	return fmt.Sprintf("the search server answered %d %s: %.500s", e.Status, e.Type, e.Reason)
}

// busy reports whether another try may succeed: the server has too much to do, or a part of it is away.
func busy(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// passing reports whether another try may mend the error. Whatever is no answer at all is: a connection that broke.
func passing(err error) bool {
	var answer *statusError
	var wrong *WrongServerError
	switch {
	case err == nil, errors.As(err, &wrong), errors.Is(err, errNotUnderstood):
		return false
	case errors.As(err, &answer):
		return busy(answer.Status)
	}
	return true
}

var errNotUnderstood = errors.New("the answer of the search server cannot be read")

// request is one call of the client's API.
type request interface {
	Do(ctx context.Context, transport esapi.Transport) (*esapi.Response, error)
}

// call sends a request once and decodes the answer into out, unless that is nil.
func (e *Engine) call(ctx context.Context, r request, out any) error {
	response, err := r.Do(ctx, e.client)
	if err != nil {
		return fmt.Errorf("reach the search server: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer of the search server: %w", err)
	}
	if response.IsError() {
		return failure(response.StatusCode, body)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w: %w", errNotUnderstood, err)
	}
	return nil
}

// failure reads an error, which a proxy on the way may have put in its own words.
func failure(status int, body []byte) error {
	var said struct {
		Error json.RawMessage `json:"error"`
	}
	var cause struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(body, &said) != nil || json.Unmarshal(said.Error, &cause) != nil {
		cause.Type, cause.Reason = http.StatusText(status), ""
	}
	return &statusError{Status: status, Type: cause.Type, Reason: cause.Reason}
}

// retry calls do until it succeeds, fails for good, or its tries or its time are over.
func retry(ctx context.Context, do func() error) error {
	var err error
	for try := range triesMax {
		if err = do(); !passing(err) {
			return err
		}
		if try < triesMax-1 && !pause(ctx, try) {
			break
		}
	}
	return err
}

// pause waits before the next try and returns false if ctx ends first. The wait varies by half, so that many who were
// turned away do not come back at once.
func pause(ctx context.Context, try int) bool {
	wait := min(pauseFirst<<try, pauseMax)
	timer := time.NewTimer(wait/2 + rand.N(wait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// send retries a request, which make must make anew since its body is read.
func (e *Engine) send(ctx context.Context, limit time.Duration, out any, make func() request) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return retry(ctx, func() error { return e.call(ctx, make(), out) })
}
