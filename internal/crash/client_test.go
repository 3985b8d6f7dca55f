package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// askMax is how long one try may take: shorter than a pause, so that a paused API gives an unknown result.
	askMax               = 3 * time.Second
	retryMin, retryMax   = 100 * time.Millisecond, 500 * time.Millisecond
	answerBytesMax       = 4 << 20
	connectionsPerClient = 64
)

// call is a request as it is sent, also again.
type call struct {
	method, path string
	key          string // Idempotency-Key, or empty
	secret       string
	payload      []byte
}

// answer is what came of it.
type answer struct {
	status   int
	position string
	body     []byte
}

// decode reads the body of an answer.
func decode[T any](a answer) (out T, err error) {
	err = json.Unmarshal(a.body, &out)
	return out, err
}

// entry is an acknowledged command in the journal of a customer.
type entry struct {
	call
	answer
	account string
	// event and id are what stands at the position: the type's beginning and the id that its data name. May be empty.
	event, id string
}

// client asks one of the APIs until it gets an answer. It is safe for concurrent use.
type client struct {
	http *http.Client
	apis []string
	// unknown counts tries without an answer or with one of unavailability, internal those with an internal error.
	unknown, internal, answered atomic.Int64
	lastInternal                atomic.Pointer[string]
}

func newClient(apis []string) *client {
	return &client{apis: apis, http: &http.Client{
		Timeout: askMax, Transport: &http.Transport{MaxIdleConnsPerHost: connectionsPerClient},
	}}
}

// ask returns the first answer that is no outage. It ends with an error only when ctx does.
func (c *client) ask(ctx context.Context, r *rand.Rand, q call) (answer, error) {
	for {
		a, err := c.try(ctx, c.apis[r.IntN(len(c.apis))], q)
		if err == nil && a.status < http.StatusInternalServerError {
			c.answered.Add(1)
			return a, nil
		}
		c.unknown.Add(1)
		select {
		case <-ctx.Done():
			return a, fmt.Errorf("%s %s was never answered; at last %d, %w: %s", q.method, q.path, a.status, err, a.body)
		case <-time.After(between(r, retryMin, retryMax)):
		}
	}
}

// askBoth sends the call to all APIs at the same time. Both answers count; an outage is asked again.
func (c *client) askBoth(ctx context.Context, r *rand.Rand, q call) (answer, error) {
	other := make(chan answer, 1)
	go func() {
		a, err := c.try(ctx, c.apis[0], q)
		if err != nil {
			a = answer{}
		}
		other <- a
	}()
	a, err := c.ask(ctx, r, q)
	b := <-other
	if err == nil && b.status > 0 && b.status < http.StatusInternalServerError && !same(q, a, b) {
		err = fmt.Errorf("%s %s with the key %s has two answers:\n%d %s\n%d %s",
			q.method, q.path, q.key, a.status, a.body, b.status, b.body)
	}
	return a, err
}

func (c *client) try(ctx context.Context, api string, q call) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, q.method, api+q.path, bytes.NewReader(q.payload))
	if err != nil {
		return answer{}, err
	}
	if q.payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if q.key != "" {
		request.Header.Set("Idempotency-Key", q.key)
	}
	if q.secret != "" {
		request.Header.Set("Authorization", "Bearer "+q.secret)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode == http.StatusInternalServerError {
		c.internal.Add(1)
		text := q.method + " " + q.path + ": " + string(body)
		c.lastInternal.Store(&text)
	}
	return answer{response.StatusCode, response.Header.Get("Pingvas-Position"), body}, nil
}

// same reports whether two answers to one command are the same: to the byte, but for what names the request, and for
// the secret of an account's first key, which is shown once.
func same(q call, a, b answer) bool {
	if a.status != b.status || a.position != b.position {
		return false
	}
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a.body, &x) != nil || json.Unmarshal(b.body, &y) != nil {
		return bytes.Equal(a.body, b.body)
	}
	for _, answered := range []map[string]json.RawMessage{x, y} {
		delete(answered, "request_id")
		if q.path == pathAccounts {
			delete(answered, "api_key")
		}
	}
	left, errLeft := json.Marshal(x)
	right, errRight := json.Marshal(y)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}
