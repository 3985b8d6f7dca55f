package commands_test

import (
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// onJob runs a command on a generation.
func (t *trial) onJob() (any, *refused) {
	j, ok := t.jobs[t.Job.ID]
	if !ok {
		return nil, no(domain.CodeNotFound)
	}
	t.job = &j
	switch t.Job.Do {
	case doClaim:
		return t.claim()
	case doExtend:
		return t.extend()
	}
	before := t.events
	if refused := t.endJob(); refused != nil {
		return nil, refused
	}
	ended := commands.Ended{Generation: t.Job.ID, Status: j.status}
	if t.events == before {
		if j.final() {
			ended.Settled = j.charge()
			ended.Released = j.price.Credits - ended.Settled
		}
		return ended, t.tooDear(ended)
	}
	if j.final() {
		end := t.settleJob()
		ended.Settled, ended.Released, ended.Waived = end.settled, end.released, end.waived
	}
	return ended, t.tooDear(ended)
}

func (t *trial) tooDear(e commands.Ended) *refused {
	if most := t.Job.AtMost; most != nil && e.Settled > *most {
		return no(domain.CodePreconditionFailed)
	}
	return nil
}

func (j job) final() bool {
	return j.status != generation.StatusQueued && j.status != generation.StatusRunning
}

// charge is what an ended job costs: what was delivered, or half of what a customer has cancelled too late.
func (j job) charge() domain.Credits {
	switch {
	case j.status == generation.StatusSucceeded:
		return j.price.Credits / domain.Credits(j.in.Spec.Count) * domain.Credits(j.images)
	case j.status == generation.StatusCancelled && j.computed:
		return j.price.Credits / 2
	}
	return 0
}

func (t *trial) settleJob() (end ending) {
	next, charge := t.next.clone(), t.job.charge()
	var refused *refused
	if charge == 0 {
		end, refused = next.release(t.job.in.Reservation, t.At)
	} else {
		end, refused = next.settle(t.job.in.Reservation, charge, t.At)
	}
	if refused != nil { // nobody knows the reservation any more
		return ending{waived: charge}
	}
	t.next = next
	return end
}

func (j job) leaseUntil(at time.Time) time.Time {
	const shortest, longest, overrun = 30 * time.Second, 30 * time.Minute, time.Hour
	length := min(longest, max(shortest, 3*time.Duration(j.price.Millis)*time.Millisecond))
	last := j.in.At.Add(commands.JobDeadline + overrun)
	if until := at.Add(length); until.Before(last) {
		return until
	}
	return last
}

func (t *trial) claim() (any, *refused) {
	j := t.job
	until := j.leaseUntil(t.At)
	switch {
	case j.final():
		return nil, no(domain.CodeAlreadyEnded)
	case j.status == generation.StatusRunning || over(j.in.At.Add(commands.JobDeadline), t.At):
		return nil, no(domain.CodeConflict)
	case !until.After(t.At):
		return nil, no(domain.CodeInvalid)
	}
	j.status, j.lease = generation.StatusRunning, until
	t.events++
	t.keepReserved(until)
	return commands.Claim{
		Generation: t.Job.ID, Account: t.account(), Attempt: j.attempt, Spec: j.in.Spec,
		Estimate: time.Duration(j.price.Millis) * time.Millisecond, LeaseUntil: until, At: j.in.At,
	}, nil
}

func (t *trial) keepReserved(lease time.Time) {
	const grace = 15 * time.Minute
	t.next.keep(t.job.in.Reservation, lease.Add(grace), t.At)
}

func (t *trial) extend() (any, *refused) {
	j := t.job
	if refused := t.fence(); refused != nil {
		return nil, refused
	}
	until := j.leaseUntil(t.At)
	if j.lease.Sub(t.At) > until.Sub(t.At)*67/100 {
		until = j.lease
	}
	if until.After(j.lease) {
		j.lease = until
		t.events++
	}
	t.keepReserved(until)
	return j.lease, nil
}

// fence refuses what does not come from the attempt that is running.
func (t *trial) fence() *refused {
	switch {
	case t.job.final():
		return no(domain.CodeAlreadyEnded)
	case t.job.status != generation.StatusRunning || t.job.attempt != t.Job.Attempt:
		return no(domain.CodeStaleAttempt)
	}
	return nil
}

// endJob runs a command that may end the job.
func (t *trial) endJob() *refused {
	j, do := t.job, t.Job
	switch do.Do {
	case doComplete, doFail, doHandBack, doGiveUp:
		if refused := t.fence(); refused != nil {
			return refused
		}
	case doCancel:
		if j.status == generation.StatusCancelled {
			return nil
		}
	}
	if j.final() {
		return no(domain.CodeAlreadyEnded)
	}
	switch {
	case do.Do == doComplete && (do.Images < 1 || do.Images > j.in.Spec.Count):
		return no(domain.CodeInvalid)
	case do.Do == doComplete:
		j.images = do.Images
		t.end(generation.StatusSucceeded)
	case do.Do == doFail && do.Blocked:
		t.end(generation.StatusBlocked)
	case do.Do == doFail:
		t.end(generation.StatusFailed)
	case do.Do == doCancel:
		t.end(generation.StatusCancelled)
	case do.Do == doHandBack:
		t.again()
	case do.Do == doGiveUp, do.Do == doEndLease && j.status == generation.StatusRunning && !j.lease.After(t.At):
		if j.failures+1 == generation.FailuresMax {
			t.end(generation.StatusFailed)
			break
		}
		j.failures++
		t.again()
	case do.Do == doExpire && over(j.in.At.Add(commands.JobDeadline), t.At) && !j.lease.After(t.At):
		t.end(generation.StatusExpired)
	}
	return nil
}

func (t *trial) end(status generation.Status) {
	t.job.computed = t.job.status == generation.StatusRunning
	t.job.status, t.job.lease = status, time.Time{}
	t.events++
}

// again puts the job back into the queue.
func (t *trial) again() {
	t.job.status, t.job.lease = generation.StatusQueued, time.Time{}
	t.job.attempt++
	t.events++
}
