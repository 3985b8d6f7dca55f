package generate

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// CandidatesMax is how many jobs one claim names; the service takes no more.
const CandidatesMax = 32

// Claims is the service that gives out jobs. Refusals are *domain.Error; any other error means that it is unknown
// whether the call took effect.
type Claims interface {
	// Claim takes the first of the candidates that is still open, and returns false if none is.
	Claim(ctx context.Context, bid Bid) (Assignment, bool, error)
	// Extend keeps the job for longer and returns when the lease ends now. CodeStaleAttempt, CodeAlreadyEnded and
	// CodeNotFound mean that the job is not the worker's any more.
	Extend(ctx context.Context, fence Fence) (time.Time, error)
	// HandBack gives the job back for its next attempt. The errors are those of Extend.
	HandBack(ctx context.Context, fence Fence, cause string) error
}

// Bid is a worker's wish for a job.
type Bid struct {
	Worker     string      `json:"worker"`
	Pool       string      `json:"pool"`
	Candidates []Candidate `json:"candidates"` // best first, at most CandidatesMax
}

// Candidate is an open job, with the hash of its account.
type Candidate struct {
	Generation domain.GenerationID `json:"generation"`
	Account    string              `json:"account_hash"`
}

// Fence names one attempt at a job. Whatever is said of another attempt changes nothing.
type Fence struct {
	Generation domain.GenerationID `json:"generation"`
	Account    string              `json:"account_hash"`
	Attempt    int                 `json:"attempt"`
}

// Assignment is a job in the hands of this worker.
type Assignment struct {
	Fence
	Spec           generation.Spec `json:"spec"`
	EstimateMillis int64           `json:"estimate_ms"`
	LeaseUntil     time.Time       `json:"lease_until"`
	Requested      time.Time       `json:"requested_at"`
	// Uploads says where the images go, one for each image asked for.
	Uploads []Upload `json:"uploads"`
	// Inputs says where the pictures are that the request brings along, in the order of Spec.Inputs.
	Inputs []Download `json:"inputs,omitempty"`
}

// Download is the place of one input. The URL is presigned for GET.
type Download struct {
	URL string `json:"url"`
}

func (a Assignment) estimate() time.Duration {
	return time.Duration(a.EstimateMillis) * time.Millisecond
}

// Upload is the place of one image and its thumbnail. The URLs are presigned for PUT with exactly these headers.
type Upload struct {
	Key              string            `json:"key"`
	URL              string            `json:"url"`
	Headers          map[string]string `json:"headers"`
	ThumbnailKey     string            `json:"thumbnail_key"`
	ThumbnailURL     string            `json:"thumbnail_url"`
	ThumbnailHeaders map[string]string `json:"thumbnail_headers"`
}
