package commands

import (
	"context"
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// LeaseMinDefault is the shortest lease unless Config says otherwise.
const LeaseMinDefault = 30 * time.Second

// The length of a lease: this many times the estimate, within bounds.
const (
	leaseFactor = 3
	leaseMax    = 30 * time.Minute
	leaseKept   = 67 // per cent
	// overrunMax is how long a job that was claimed in time may run beyond its deadline.
	overrunMax = time.Hour
)

// CandidatesMax is how many open jobs one claim may name.
const CandidatesMax = 32

// Candidate is an open job that a worker would take.
type Candidate struct {
	Generation domain.GenerationID
	Account    eventstore.AccountHash
}

// ClaimGeneration gives the first candidate that is still open to the worker.
type ClaimGeneration struct {
	Worker     string
	Pool       string
	Candidates []Candidate
	At         time.Time
}

// Claim is a job in the hands of a worker. Attempt is its fence.
type Claim struct {
	Generation domain.GenerationID
	Account    domain.AccountID
	Attempt    int
	Spec       generation.Spec
	Estimate   time.Duration
	LeaseUntil time.Time
	At         time.Time // when the job was requested
}

// ClaimGeneration runs the use case. It returns false if none of the candidates is open.
func (l *Ledger) ClaimGeneration(ctx context.Context, c Caller, in ClaimGeneration) (Claim, bool, error) {
	if len(in.Candidates) > CandidatesMax {
		return Claim{}, false, domain.FieldErrorf("/candidates", "%d are more than %d", len(in.Candidates), CandidatesMax)
	}
	for _, candidate := range in.Candidates {
		claim, err := l.claim(ctx, c, in, candidate)
		switch domain.CodeOf(err) {
		case "":
			return claim, true, nil
		case domain.CodeConflict, domain.CodeAlreadyEnded, domain.CodeNotFound, domain.CodeStaleVersion:
			continue
		default:
			return Claim{}, false, err
		}
	}
	return Claim{}, false, nil
}

func (l *Ledger) claim(ctx context.Context, c Caller, in ClaimGeneration, candidate Candidate) (Claim, error) {
	owner, err := l.Owner(ctx, candidate)
	if err != nil {
		return Claim{}, err
	}
	c.Account = owner
	receipt, err := run(ctx, l, c, useCase[Claim]{
		name:    "claim_generation",
		streams: endStreams(c, candidate.Generation),
		decide: func(w *work) (Claim, error) {
			if w.generation.state.Request.Pool != in.Pool {
				return Claim{}, domain.Errorf(domain.CodeConflict, "the job is for another pool")
			}
			until := l.leaseUntil(w.generation.state.Request, in.At)
			if err := w.onGeneration(generation.Claim{Worker: in.Worker, LeaseUntil: until, At: in.At}); err != nil {
				return Claim{}, err
			}
			return claimOf(w), w.keepReserved(until, in.At)
		},
	})
	return receipt.Result, err
}

// Owner finds the account of a job that is known by its account's hash only, or answers CodeNotFound.
func (l *Ledger) Owner(ctx context.Context, candidate Candidate) (domain.AccountID, error) {
	shard := candidate.Account.Shard(l.store.Shards())
	stream := eventstore.GenerationStream(candidate.Generation)
	first, err := l.store.ReadStreams(ctx, shard, []eventstore.StreamVersion{{Stream: stream}}, 1)
	if err != nil {
		return "", fmt.Errorf("find the owner of a job: %w", err)
	}
	if len(first) == 0 {
		return "", domain.Errorf(domain.CodeNotFound, "there is no such generation")
	}
	meta, err := first[0].Meta()
	if err != nil {
		return "", fmt.Errorf("find the owner of a job: %w", err)
	}
	return meta.Account, nil
}

func claimOf(w *work) Claim {
	g := w.generation.state
	return Claim{
		Generation: g.Request.Generation, Account: g.Request.Account, Attempt: g.Attempt, Spec: g.Request.Spec,
		Estimate: estimate(g.Request), LeaseUntil: g.LeaseUntil, At: g.Request.At,
	}
}

// ExtendLease keeps a job with the worker that holds this attempt and returns when the lease ends now.
// CodeStaleAttempt or CodeAlreadyEnded tells the worker to stop. A lease of which more than leaseKept is left stays as
// it is, so that a worker may ask often without filling the ledger.
func (l *Ledger) ExtendLease(
	ctx context.Context, c Caller, id domain.GenerationID, attempt int, at time.Time,
) (time.Time, error) {
	receipt, err := run(ctx, l, c, useCase[time.Time]{
		name:    "extend_lease",
		streams: endStreams(c, id),
		decide: func(w *work) (time.Time, error) {
			if err := w.own(c); err != nil {
				return time.Time{}, err
			}
			until := l.leaseUntil(w.generation.state.Request, at)
			if now := w.generation.state.LeaseUntil; now.Sub(at) > until.Sub(at)*leaseKept/100 {
				until = now
			}
			err := w.onGeneration(generation.ExtendLease{Attempt: attempt, LeaseUntil: until, At: at})
			if err != nil {
				return time.Time{}, err
			}
			return w.generation.state.LeaseUntil, w.keepReserved(until, at)
		},
	})
	return receipt.Result, err
}

// keepReserved keeps the credits reserved for as long as the lease and its grace. A reservation that is over stays
// over: the result will be settled late.
func (w *work) keepReserved(lease, at time.Time) error {
	id := w.generation.state.Request.Reservation
	if _, open := w.account.state.At(at).Reservation(id); !open {
		return nil
	}
	return w.onAccount(account.Extend{Reservation: id, Expires: lease.Add(reservationGrace), At: at})
}

// leaseUntil returns when a lease ends that is given now. However often it is extended, it ends overrunMax after the
// deadline of the job.
func (l *Ledger) leaseUntil(r generation.Requested, at time.Time) time.Time {
	until := at.Add(min(leaseMax, max(l.leaseMin, leaseFactor*estimate(r))))
	if last := r.Deadline.Add(overrunMax); until.After(last) {
		return last
	}
	return until
}

func estimate(r generation.Requested) time.Duration {
	return time.Duration(r.EstimateMillis) * time.Millisecond
}
