package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// The content types of what workers upload.
const (
	pictureType   = "image/png"
	thumbnailType = "image/jpeg"
)

type claimRequest struct {
	Worker     string           `json:"worker"`
	Pool       string           `json:"pool"`
	Candidates []claimCandidate `json:"candidates"`
}

type claimCandidate struct {
	Generation  domain.GenerationID `json:"generation"`
	AccountHash string              `json:"account_hash"`
}

type claimReply struct {
	Job *claimedJob `json:"job"`
}

type claimedJob struct {
	Generation     domain.GenerationID `json:"generation"`
	AccountHash    string              `json:"account_hash"`
	Attempt        int                 `json:"attempt"`
	Spec           generation.Spec     `json:"spec"`
	EstimateMillis int64               `json:"estimate_ms"`
	LeaseUntil     time.Time           `json:"lease_until"`
	RequestedAt    time.Time           `json:"requested_at"`
	Uploads        []upload            `json:"uploads"`
	Inputs         []download          `json:"inputs,omitempty"`
}

// download is where a picture is that the request brings along.
type download struct {
	URL string `json:"url"`
}

type upload struct {
	Key              string            `json:"key"`
	URL              string            `json:"url"`
	Headers          map[string]string `json:"headers"`
	ThumbnailKey     string            `json:"thumbnail_key"`
	ThumbnailURL     string            `json:"thumbnail_url"`
	ThumbnailHeaders map[string]string `json:"thumbnail_headers"`
}

// claim gives a worker the first of its candidates that is still open, with everything it needs to do the job.
func (s *Server) claim(r *http.Request) (reply, error) {
	in, err := decodeBody[claimRequest](r)
	if err != nil {
		return reply{}, err
	}
	if in.Worker == "" || len(in.Worker) > workerBytesMax {
		return reply{}, invalidField("/worker", fmt.Sprintf("must be 1 to %d bytes", workerBytesMax))
	}
	candidates, err := fromCandidates(in.Candidates)
	if err != nil {
		return reply{}, err
	}
	who := commands.Caller{Actor: in.Worker, Correlation: callOf(r.Context()).id}
	claim, won, err := s.ledger.ClaimGeneration(r.Context(), who, commands.ClaimGeneration{
		Worker: in.Worker, Pool: in.Pool, Candidates: candidates, At: s.now(),
	})
	if err != nil || !won {
		return reply{status: http.StatusOK, body: claimReply{}}, err
	}
	job, err := s.toJob(r.Context(), claim)
	return reply{status: http.StatusOK, body: claimReply{Job: &job}}, err
}

func fromCandidates(list []claimCandidate) ([]commands.Candidate, error) {
	if len(list) > commands.CandidatesMax {
		return nil, invalidField("/candidates", fmt.Sprintf("are more than %d", commands.CandidatesMax))
	}
	out := make([]commands.Candidate, len(list))
	for i, c := range list {
		hash, err := eventstore.ParseAccountHash(c.AccountHash)
		if err != nil {
			return nil, invalidField(fmt.Sprintf("/candidates/%d/account_hash", i), "is not 16 hexadecimal digits")
		}
		if c.Generation.Check() != nil {
			return nil, invalidField(fmt.Sprintf("/candidates/%d/generation", i), "is not the id of a generation")
		}
		out[i] = commands.Candidate{Generation: c.Generation, Account: hash}
	}
	return out, nil
}

func (s *Server) toJob(ctx context.Context, c commands.Claim) (claimedJob, error) {
	job := claimedJob{
		Generation: c.Generation, AccountHash: eventstore.HashAccount(c.Account).String(), Attempt: c.Attempt,
		Spec: c.Spec, EstimateMillis: c.Estimate.Milliseconds(), LeaseUntil: c.LeaseUntil, RequestedAt: c.At,
		Uploads: make([]upload, c.Spec.Count),
	}
	for i := range job.Uploads {
		u := &job.Uploads[i]
		u.Key = generation.ObjectKey(c.Account, c.Generation, c.Attempt, i)
		u.ThumbnailKey = generation.ThumbnailKey(c.Account, c.Generation, c.Attempt, i)
		var err error
		if u.URL, u.Headers, err = s.pictures.PresignPut(ctx, u.Key, pictureType, uploadTTL); err != nil {
			return job, err
		}
		u.ThumbnailURL, u.ThumbnailHeaders, err = s.pictures.PresignPut(ctx, u.ThumbnailKey, thumbnailType, uploadTTL)
		if err != nil {
			return job, err
		}
	}
	for _, in := range c.Spec.Inputs() {
		url, err := s.pictures.PresignGet(ctx, in.Key, "", uploadTTL)
		if err != nil {
			return job, err
		}
		job.Inputs = append(job.Inputs, download{url})
	}
	return job, nil
}
