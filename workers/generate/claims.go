package generate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of one call to the service.
const (
	callTimeout    = 10 * time.Second
	answerBytesMax = 1 << 20
)

// ServiceConfig says where the internal API is.
type ServiceConfig struct {
	// BaseURL is the address of the API, without /internal. Required.
	BaseURL string
	// Token is the workers' bearer token. Required. It is never logged.
	Token string
	// Client makes the calls; nil means one of our own.
	Client *http.Client
}

// Validate returns everything that is wrong.
func (c ServiceConfig) Validate() error {
	var errs []error
	if u, err := url.Parse(c.BaseURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("generate: %q is not the URL of the internal API", c.BaseURL))
	}
	if c.Token == "" {
		errs = append(errs, errors.New("generate: no worker token"))
	}
	return errors.Join(errs...)
}

// Service is the client of the internal API.
type Service struct {
	base   string
	token  string
	client *http.Client
}

var _ Claims = (*Service)(nil)

// NewService returns a client. It does not connect.
func NewService(c ServiceConfig) (*Service, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Service{base: c.BaseURL, token: c.Token, client: c.Client}
	if s.client == nil {
		s.client = &http.Client{Timeout: callTimeout}
	}
	return s, nil
}

// Claim implements Claims.
func (s *Service) Claim(ctx context.Context, bid Bid) (Assignment, bool, error) {
	var answer struct {
		Job *Assignment `json:"job"`
	}
	if err := s.post(ctx, []string{"claims"}, bid, &answer); err != nil {
		return Assignment{}, false, fmt.Errorf("claim a job: %w", err)
	}
	if answer.Job == nil {
		return Assignment{}, false, nil
	}
	return *answer.Job, true, nil
}

// fenceBody is a fence whose generation is in the path.
type fenceBody struct {
	Account string `json:"account_hash"`
	Attempt int    `json:"attempt"`
	Cause   string `json:"cause,omitempty"`
}

// Extend implements Claims.
func (s *Service) Extend(ctx context.Context, f Fence) (time.Time, error) {
	var answer struct {
		LeaseUntil time.Time `json:"lease_until"`
	}
	path := []string{"generations", string(f.Generation), "lease"}
	if err := s.post(ctx, path, fenceBody{Account: f.Account, Attempt: f.Attempt}, &answer); err != nil {
		return time.Time{}, fmt.Errorf("extend the lease of %s: %w", f.Generation, err)
	}
	return answer.LeaseUntil, nil
}

// HandBack implements Claims.
func (s *Service) HandBack(ctx context.Context, f Fence, cause string) error {
	path := []string{"generations", string(f.Generation), "hand-back"}
	err := s.post(ctx, path, fenceBody{Account: f.Account, Attempt: f.Attempt, Cause: cause}, nil)
	if err != nil {
		return fmt.Errorf("hand %s back: %w", f.Generation, err)
	}
	return nil
}

// post sends a body below /internal and decodes the answer, unless it is nil.
func (s *Service) post(ctx context.Context, path []string, body, answer any) error {
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	target, err := url.JoinPath(s.base, append([]string{"internal"}, path...)...)
	if err != nil {
		return fmt.Errorf("make the URL: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return problem(response.StatusCode, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// problem turns an answer of application/problem+json into a *domain.Error. What is the service's own trouble, or was
// said by something in between, is another error.
func problem(status int, text []byte) error {
	var p struct {
		Code   domain.Code `json:"code"`
		Title  string      `json:"title"`
		Detail string      `json:"detail"`
	}
	if json.Unmarshal(text, &p) != nil || p.Code == "" || status >= http.StatusInternalServerError {
		return fmt.Errorf("the internal API answered with status %d", status)
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	return &domain.Error{Code: p.Code, Msg: p.Detail}
}
