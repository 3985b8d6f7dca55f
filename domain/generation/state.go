package generation

import (
	"fmt"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/settlement"
)

// FailuresMax is how many attempts may fail: with the last of them the job fails. An attempt that a worker hands back,
// because its machine is taken away, is no failure.
const FailuresMax = 3

// Status is where a generation stands.
type Status string

// The statuses. All but queued and running are final.
const (
	StatusQueued    Status = "queued"
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusFailed    Status = "failed"
	StatusBlocked   Status = "blocked"
	StatusCancelled Status = "cancelled"
	StatusExpired   Status = "expired"
)

// Final reports whether a generation in this status has ended.
func (s Status) Final() bool { return s != StatusQueued && s != StatusRunning }

// State is a generation folded from its events.
type State struct {
	Request    Requested // zero until requested
	Status     Status
	Attempt    int // the one that is open or running, from 1
	Failures   int // attempts that failed
	Worker     string
	LeaseUntil time.Time
	Images     []Image
	Cause      string           // why it failed
	Stage      settlement.Stage // how far it had come when it ended
}

// Initial returns a generation that has not been requested.
func Initial() State { return State{} }

// Exists reports whether the generation was requested.
func (s State) Exists() bool { return s.Request.Generation != "" }

// Outcome returns how an ended generation ended, as the settlement policy sees it.
func (s State) Outcome() settlement.Outcome {
	o := settlement.Outcome{Stage: s.Stage, Requested: s.Request.Spec.Count, Delivered: len(s.Images)}
	switch s.Status {
	case StatusSucceeded:
		o.Terminal = settlement.Succeeded
	case StatusFailed:
		o.Terminal = settlement.Failed
	case StatusBlocked:
		o.Terminal = settlement.Blocked
	case StatusCancelled:
		o.Terminal = settlement.Cancelled
	case StatusExpired:
		o.Terminal = settlement.Expired
	case StatusQueued, StatusRunning:
		panic("generation: the outcome of a job that has not ended")
	}
	return o
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Requested:
		return State{Request: e, Status: StatusQueued, Attempt: 1}
	case Claimed:
		s.Status, s.Worker, s.LeaseUntil = StatusRunning, e.Worker, e.LeaseUntil
		return s
	case LeaseExtended:
		s.LeaseUntil = e.LeaseUntil
		return s
	case Requeued:
		if e.Cause != CauseHandedBack {
			s.Failures++
		}
		s.Status, s.Attempt, s.Worker, s.LeaseUntil = StatusQueued, e.Attempt, "", time.Time{}
		return s
	case Completed:
		s.Images = e.Images
		return s.end(StatusSucceeded, settlement.StageRunning)
	case Failed:
		s.Cause = e.Cause
		if e.Blocked {
			return s.end(StatusBlocked, e.Stage)
		}
		return s.end(StatusFailed, e.Stage)
	case Cancelled:
		return s.end(StatusCancelled, e.Stage)
	case Expired:
		return s.end(StatusExpired, e.Stage)
	}
	panic(fmt.Sprintf("generation: event %T is not folded", e))
}

func (s State) end(status Status, stage settlement.Stage) State {
	s.Status, s.Stage, s.Worker, s.LeaseUntil = status, stage, "", time.Time{}
	return s
}

// Check returns the first invariant that the state breaks, or nil.
func Check(s State) error {
	switch {
	case !s.Exists():
		return nil
	case s.Failures >= FailuresMax || s.Failures >= s.Attempt:
		return fmt.Errorf("attempt %d after %d failures", s.Attempt, s.Failures)
	case (s.Status == StatusRunning) != (s.Worker != ""):
		return fmt.Errorf("%s with worker %q", s.Status, s.Worker)
	case (s.Status == StatusSucceeded) != (len(s.Images) > 0):
		return fmt.Errorf("%s with %d images", s.Status, len(s.Images))
	case len(s.Images) > s.Request.Spec.Count:
		return fmt.Errorf("%d images of %d asked for", len(s.Images), s.Request.Spec.Count)
	}
	return nil
}
