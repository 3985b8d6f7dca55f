package generation

import (
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/settlement"
)

// The causes of a requeue or failure that no engine gives.
const (
	CauseLeaseExpired = "lease_expired"
	CauseHandedBack   = "handed_back"
)

// Decider returns the generation's decider.
func Decider() domain.Decider[State, Command] {
	return domain.Decider[State, Command]{Initial: Initial, Decide: Decide, Evolve: Evolve, Check: Check}
}

// Decide says which events a command causes. The checks go in this order: the generation exists, it has not ended,
// the attempt is the current one, the command's own fields.
func Decide(s State, c Command) ([]domain.Event, error) {
	if request, ok := c.(Request); ok {
		return decideRequest(s, request)
	}
	if !s.Exists() {
		return nil, domain.Errorf(domain.CodeNotFound, "there is no such generation")
	}
	if _, again := c.(Cancel); again && s.Status == StatusCancelled {
		return nil, nil
	}
	if s.Status.Final() {
		return nil, domain.Errorf(domain.CodeAlreadyEnded, "the generation has ended: %s", s.Status)
	}
	switch c := c.(type) {
	case Claim:
		return s.claim(c)
	case ExtendLease:
		return s.extendLease(c)
	case HandBack:
		if err := s.fence(c.Attempt); err != nil {
			return nil, err
		}
		return s.requeue(c.Cause, c.At), nil
	case EndLease:
		if s.Status != StatusRunning || s.LeaseUntil.After(c.At) {
			return nil, nil
		}
		return s.requeue(CauseLeaseExpired, c.At), nil
	case Complete:
		return s.complete(c)
	case Fail:
		if err := s.fence(c.Attempt); err != nil {
			return nil, err
		}
		return []domain.Event{s.failed(c.Blocked, c.Cause, c.At)}, nil
	case Cancel:
		return []domain.Event{Cancelled{s.Request.Generation, s.Attempt, s.stage(), c.At}}, nil
	case Expire:
		if s.Request.Deadline.After(c.At) || s.LeaseUntil.After(c.At) {
			return nil, nil
		}
		return []domain.Event{Expired{s.Request.Generation, s.Attempt, s.stage(), c.At}}, nil
	}
	panic(fmt.Sprintf("generation: command %T is not decided", c))
}

func decideRequest(s State, c Request) ([]domain.Event, error) {
	if s.Exists() {
		return nil, domain.Errorf(domain.CodeConflict, "the generation was requested already")
	}
	if err := c.Generation.Check(); err != nil {
		return nil, err
	}
	if err := c.Account.Check(); err != nil {
		return nil, err
	}
	if err := c.Tier.Check(); err != nil {
		return nil, err
	}
	if c.Spec.Count < 1 || !c.Deadline.After(c.At) {
		return nil, domain.Errorf(domain.CodeInvalid, "a generation needs at least one image and a deadline to come")
	}
	return []domain.Event{Requested(c)}, nil
}

func (s State) claim(c Claim) ([]domain.Event, error) {
	if s.Status == StatusRunning {
		return nil, domain.Errorf(domain.CodeConflict, "another worker has the job")
	}
	if !s.Request.Deadline.After(c.At) {
		return nil, domain.Errorf(domain.CodeConflict, "the deadline of the job has passed")
	}
	if c.Worker == "" || !c.LeaseUntil.After(c.At) {
		return nil, domain.Errorf(domain.CodeInvalid, "a claim needs a worker and a lease that ends later")
	}
	return []domain.Event{Claimed{s.Request.Generation, s.Attempt, c.Worker, c.LeaseUntil, c.At}}, nil
}

func (s State) extendLease(c ExtendLease) ([]domain.Event, error) {
	if err := s.fence(c.Attempt); err != nil {
		return nil, err
	}
	if !c.LeaseUntil.After(s.LeaseUntil) {
		return nil, nil
	}
	return []domain.Event{LeaseExtended{s.Request.Generation, s.Attempt, c.LeaseUntil, c.At}}, nil
}

func (s State) complete(c Complete) ([]domain.Event, error) {
	if err := s.fence(c.Attempt); err != nil {
		return nil, err
	}
	if len(c.Images) < 1 || len(c.Images) > s.Request.Spec.Count {
		return nil, domain.Errorf(domain.CodeInvalid, "%d images were delivered of %d asked for",
			len(c.Images), s.Request.Spec.Count)
	}
	for i, picture := range c.Images {
		maker, index, err := picture.Image.Split()
		if err != nil || maker != s.Request.Generation || index != i {
			return nil, domain.Errorf(domain.CodeInvalid, "image %d of the delivery is %q", i, picture.Image)
		}
	}
	return []domain.Event{Completed{
		Generation: s.Request.Generation, Account: s.Request.Account, Attempt: s.Attempt, Images: c.Images,
		Engine: c.Engine, EngineVersion: c.EngineVersion, GPUMillis: c.GPUMillis, At: c.At,
	}}, nil
}

// fence refuses whatever does not come from the attempt that is running.
func (s State) fence(attempt int) error {
	if s.Status != StatusRunning || attempt != s.Attempt {
		return domain.Errorf(domain.CodeStaleAttempt, "attempt %d is not running", attempt)
	}
	return nil
}

func (s State) stage() settlement.Stage {
	if s.Status == StatusRunning {
		return settlement.StageRunning
	}
	return settlement.StageQueued
}

// requeue opens the next attempt, or ends the job after the last failure.
func (s State) requeue(cause string, at time.Time) []domain.Event {
	if cause != CauseHandedBack && s.Failures+1 >= FailuresMax {
		return []domain.Event{s.failed(false, cause, at)}
	}
	return []domain.Event{Requeued{s.Request.Generation, s.Attempt + 1, cause, at}}
}

func (s State) failed(blocked bool, cause string, at time.Time) domain.Event {
	return Failed{
		Generation: s.Request.Generation, Attempt: s.Attempt, Blocked: blocked, Cause: cause, Stage: s.stage(), At: at,
	}
}
