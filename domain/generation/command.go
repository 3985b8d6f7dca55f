package generation

import (
	"time"
)

// Command is a wish that the decider turns into events or refuses. Time and ids are part of it.
type Command interface{ command() }

// Request opens the job. Its fields are those of the event.
type Request Requested

// Claim gives the open job to a worker.
type Claim struct {
	Worker     string
	LeaseUntil time.Time
	At         time.Time
}

// ExtendLease keeps the job with the worker that holds this attempt.
type ExtendLease struct {
	Attempt    int
	LeaseUntil time.Time
	At         time.Time
}

// HandBack returns the job to the queue: the worker leaves, or its engine failed in a way that a retry may mend.
// After the last failure the job fails instead.
type HandBack struct {
	Attempt int
	Cause   string
	At      time.Time
}

// EndLease takes the job back from a worker whose lease has run out. Before that it changes nothing.
type EndLease struct{ At time.Time }

// Complete ends the job with pictures: 1 to as many as were asked for.
type Complete struct {
	Attempt       int
	Images        []Image
	Engine        string
	EngineVersion string
	GPUMillis     int64
	At            time.Time
}

// Fail ends the job without pictures.
type Fail struct {
	Attempt int
	Blocked bool
	Cause   string
	At      time.Time
}

// Cancel ends the job at the customer's wish. Cancelling it again changes nothing.
type Cancel struct{ At time.Time }

// Expire ends the job if its deadline has passed and no lease is running. Before that it changes nothing.
type Expire struct{ At time.Time }

func (Request) command()     {}
func (Claim) command()       {}
func (ExtendLease) command() {}
func (HandBack) command()    {}
func (EndLease) command()    {}
func (Complete) command()    {}
func (Fail) command()        {}
func (Cancel) command()      {}
func (Expire) command()      {}
