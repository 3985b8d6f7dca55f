package generate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pingvas/pingvas/workers"
)

// Bounds of one upload.
const (
	uploadTries      = 5
	uploadRetryFirst = 200 * time.Millisecond
	uploadRetryMax   = 5 * time.Second
	uploadTimeout    = time.Minute
	// uploadAnswerMax is how much of an answer is read so that the connection can be used again.
	uploadAnswerMax = 64 << 10
)

// object is what one PUT writes.
type object struct {
	url     string
	headers map[string]string
	body    []byte
}

// upload writes an object, with a bounded number of tries. Writing it twice does no harm.
func upload(ctx context.Context, client *http.Client, o object) error {
	wait := uploadRetryFirst
	for try := 1; ; try++ {
		again, err := put(ctx, client, o)
		if err == nil {
			return nil
		}
		if !again || try == uploadTries || !workers.Pause(ctx, wait) {
			return err
		}
		wait = min(2*wait, uploadRetryMax)
	}
}

// put reports with its error whether another try may do.
func put(ctx context.Context, client *http.Client, o object) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, o.url, bytes.NewReader(o.body))
	if err != nil {
		return false, errors.New("the URL of the upload is not one")
	}
	for name, value := range o.headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return true, fmt.Errorf("upload: %w", withoutURL(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, uploadAnswerMax) // only for the connection's sake
	switch status := response.StatusCode; {
	case status/100 == 2:
		return false, nil
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests,
		status == http.StatusRequestTimeout:
		return true, fmt.Errorf("upload: status %d", status)
	default:
		return false, fmt.Errorf("upload: status %d", status)
	}
}

// withoutURL removes the URL from an error, because whoever has the URL may write there.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
