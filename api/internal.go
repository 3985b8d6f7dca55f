package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// uploadTTL is how long a worker may upload with the URLs of a claim: longer than any job may run.
const uploadTTL = 2 * time.Hour

// Bounds of what workers say.
const (
	workerBytesMax = 128
	causeBytesMax  = 64
)

// internalRoutes are for our own workers and operators. They are no part of the public contract.
func (s *Server) internalRoutes(r *mux.Router) {
	r.Handle("/internal/claims", s.guarded(s.workers, s.claim)).Methods(http.MethodPost)
	r.Handle("/internal/generations/{generation}/lease", s.guarded(s.workers, s.extendLease)).Methods(http.MethodPost)
	r.Handle("/internal/generations/{generation}/hand-back", s.guarded(s.workers, s.handBack)).Methods(http.MethodPost)
	r.Handle("/internal/backlog", s.guarded(s.workers, s.backlog)).Methods(http.MethodGet)
	r.Handle("/internal/accounts/{account}/grants", s.guarded(s.admins, s.grant)).Methods(http.MethodPost)
	r.Handle("/internal/accounts/{account}/plan", s.guarded(s.admins, s.changePlan)).Methods(http.MethodPost)
}

// guarded lets requests with one of the tokens pass and turns what the handler returns into the answer.
func (s *Server) guarded(who tokens, handle func(*http.Request) (reply, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := who.check(r); err != nil {
			s.fail(w, r, err)
			return
		}
		out, err := handle(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.write(w, r, out)
	})
}

// reply is what an internal route answers.
type reply struct {
	status   int
	body     any // nil for none
	position eventstore.Position
	replayed bool
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, out reply) {
	header := w.Header()
	if !out.position.IsZero() {
		header.Set("Pingvas-Position", out.position.String())
	}
	if out.replayed {
		header.Set(headerReplayed, "true")
	}
	if out.body == nil {
		w.WriteHeader(out.status)
		return
	}
	body, err := json.Marshal(out.body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(out.status)
	w.Write(body)
}

// attemptRequest names an attempt by what a worker knows of it.
type attemptRequest struct {
	AccountHash string `json:"account_hash"`
	Attempt     int    `json:"attempt"`
	Cause       string `json:"cause"` // of a hand-back
}

// attempt returns the job in the path, on whose owner's behalf the command runs, and what the worker says of it.
func (s *Server) attempt(r *http.Request) (domain.GenerationID, commands.Caller, attemptRequest, error) {
	var who commands.Caller
	id := domain.GenerationID(mux.Vars(r)["generation"])
	in, err := decodeBody[attemptRequest](r)
	if err != nil {
		return id, who, in, err
	}
	hash, err := eventstore.ParseAccountHash(in.AccountHash)
	if err != nil {
		return id, who, in, invalidField("/account_hash", "is not 16 hexadecimal digits")
	}
	if id.Check() != nil {
		return id, who, in, domain.Errorf(domain.CodeNotFound, "there is no such generation")
	}
	owner, err := s.ledger.Owner(r.Context(), commands.Candidate{Generation: id, Account: hash})
	who = commands.Caller{Account: owner, Actor: actorWorker, Correlation: callOf(r.Context()).id}
	return id, who, in, err
}

// actorWorker is who a worker is in the record, unless it gives its name.
const actorWorker = "worker"

func (s *Server) extendLease(r *http.Request) (reply, error) {
	id, who, in, err := s.attempt(r)
	if err != nil {
		return reply{}, err
	}
	until, err := s.ledger.ExtendLease(r.Context(), who, id, in.Attempt, s.now())
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, body: leaseReply{LeaseUntil: until}}, nil
}

type leaseReply struct {
	LeaseUntil time.Time `json:"lease_until"`
}

func (s *Server) handBack(r *http.Request) (reply, error) {
	id, who, in, err := s.attempt(r)
	if err != nil {
		return reply{}, err
	}
	if len(in.Cause) > causeBytesMax {
		return reply{}, invalidField("/cause", "is too long")
	}
	if in.Cause == "" {
		in.Cause = generation.CauseHandedBack
	}
	receipt, err := s.ledger.HandBackGeneration(r.Context(), who, id, generation.HandBack{
		Attempt: in.Attempt, Cause: in.Cause, At: s.now(),
	})
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent, position: receipt.Position}, nil
}

// backlogReply is the open work, for autoscaling. GPU time is in seconds.
type backlogReply struct {
	GPUSeconds float64      `json:"gpu_seconds"` // queued and running, of everything
	Data       []backlogRow `json:"data"`
}

type backlogRow struct {
	Pool           string      `json:"pool"`
	Tier           domain.Tier `json:"tier"`
	Queued         int64       `json:"queued"`
	Running        int64       `json:"running"`
	QueuedSeconds  float64     `json:"queued_gpu_seconds"`
	RunningSeconds float64     `json:"running_gpu_seconds"`
}

func (s *Server) backlog(r *http.Request) (reply, error) {
	rows, err := s.queries.Backlog(r.Context())
	if err != nil {
		return reply{}, err
	}
	out := backlogReply{Data: make([]backlogRow, len(rows))}
	for i, row := range rows {
		queued, running := seconds(row.QueuedMS), seconds(row.RunningMS)
		out.GPUSeconds += queued + running
		out.Data[i] = backlogRow{row.Pool, row.Tier, row.Queued, row.Running, queued, running}
	}
	return reply{status: http.StatusOK, body: out}, nil
}

func seconds(millis int64) float64 { return float64(millis) / 1000 }
