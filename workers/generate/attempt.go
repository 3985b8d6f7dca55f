package generate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
)

// How an attempt is kept and ended.
const (
	// leaseShare is the part of a lease after which it is extended, and leaseCheck how often the worker asks for that at
	// least: so soon it learns that the job was cancelled.
	leaseShare = 3
	leaseCheck = 2 * time.Second
	// leaseRetry is the pause after an extension that failed.
	leaseRetry = time.Second
	// An engine that takes this many times its estimate, and at least runMin, hangs.
	runFactor = 10
	runMin    = 10 * time.Minute
	// The pauses between tries to publish a result; they go on until the lease is lost.
	resultRetryFirst = 100 * time.Millisecond
	resultRetryMax   = 5 * time.Second
	// A job is handed back within handBackTimeout, or its lease runs out.
	handBackRetry   = 250 * time.Millisecond
	handBackTimeout = 5 * time.Second
	// forgetTimeout bounds the removal of what an engine keeps.
	forgetTimeout = 10 * time.Second
)

// Why a job is let go of.
var (
	errLost    = errors.New("the lease was lost")
	errDrained = errors.New("the worker shuts down")
)

// attempt is one job in one slot.
type attempt struct {
	w       *Worker
	job     Assignment
	meter   *meter
	started time.Time
	letGo   context.CancelCauseFunc
	log     *slog.Logger
}

// run works on a job until it has ended one way or another. It outlives draining by the grace at most.
func (w *Worker) run(draining context.Context, job Assignment) {
	held, letGo := context.WithCancelCause(context.WithoutCancel(draining))
	defer letGo(nil)
	a := &attempt{
		w: w, job: job, meter: newMeter(job.Fence), started: time.Now(), letGo: letGo,
		log: w.cfg.Log.With(slog.String("generation", string(job.Generation)), slog.Int("attempt", job.Attempt)),
	}
	w.helpers.Go(func() { a.keepLease(held) })
	w.helpers.Go(func() { a.heedDrain(held, draining) })
	w.helpers.Go(func() { a.meter.publish(held, w.cfg.Publisher, a.warn("progress was not published")) })
	outcome, took := a.finish(held), time.Since(a.started)
	w.helpers.Go(func() { a.forget(held) })
	a.log.Info("an attempt ended", slog.String("outcome", string(outcome)), slog.Duration("took", took))
	if w.cfg.Observe != nil {
		w.cfg.Observe(outcome, took)
	}
}

// finish works while the job is held, and says how the attempt ended.
func (a *attempt) finish(held context.Context) Outcome {
	result, err := a.work(held)
	switch {
	case held.Err() != nil:
		return a.abandon(held)
	case err != nil:
		failure := failureOf(err)
		a.log.Warn("an attempt failed", slog.String("cause", failure.Cause), slog.Any("error", err))
		a.w.engine.failed(failure)
		result = generation.Result{Failure: &failure}
	default:
		a.w.engine.worked(a.job.Spec.Model)
	}
	if !a.publish(held, result) {
		return a.abandon(held)
	}
	if result.Failure != nil {
		return OutcomeFailed
	}
	return OutcomeCompleted
}

// work runs the engine and delivers what it drew.
func (a *attempt) work(held context.Context) (generation.Result, error) {
	out, err := a.draw(held)
	if err != nil {
		return generation.Result{}, err
	}
	images, err := delivery{a.w.cfg.Uploads, a.job, time.Now}.deliver(held, out)
	if err != nil {
		return generation.Result{}, err
	}
	return generation.Result{
		Images: images, Engine: out.Engine, EngineVersion: out.Version, GPUMillis: out.GPUTime.Milliseconds(),
	}, nil
}

// draw runs the engine, for as long as it can be believed to come to an end.
func (a *attempt) draw(held context.Context) (Output, error) {
	limit := max(runMin, runFactor*a.job.estimate())
	ctx, cancel := context.WithTimeout(held, limit)
	defer cancel()
	request, err := a.request(ctx)
	if err != nil {
		return Output{}, err
	}
	job := Job{ID: string(a.job.Generation), Attempt: a.job.Attempt, Request: request}
	out, err := a.w.cfg.Engine.Generate(ctx, job, a.meter.report)
	if err != nil && ctx.Err() != nil {
		return out, &EngineError{Class: ClassInterrupted, Message: "stopped after " + limit.String(), Err: err}
	}
	a.meter.finish()
	return out, err
}

// publish tells how the attempt ended, until the broker has acknowledged it. It returns false if the job was let go
// of before.
func (a *attempt) publish(held context.Context, r generation.Result) bool {
	r.Generation, r.Account, r.Attempt = a.job.Generation, a.job.Account, a.job.Attempt
	r.Worker, r.At = a.w.cfg.Worker, time.Now()
	msg, err := workers.NewMessage(string(r.Generation), r)
	if err != nil {
		a.log.Error("a result cannot be told", slog.Any("error", err))
		return false
	}
	for wait := resultRetryFirst; ; wait = min(2*wait, resultRetryMax) {
		if held.Err() != nil {
			return false
		}
		if err := a.w.cfg.Publisher.Publish(generation.TopicResults, msg); err == nil {
			return true
		} else {
			a.log.Error("a result was not published", slog.Duration("retry_in", wait), slog.Any("error", err))
		}
		if !workers.Pause(held, wait) {
			return false
		}
	}
}

// abandon does what is left to do for a job that was let go of.
func (a *attempt) abandon(held context.Context) Outcome {
	if !errors.Is(context.Cause(held), errDrained) {
		return OutcomeLost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(held), handBackTimeout)
	defer cancel()
	for {
		err := a.w.cfg.Claims.HandBack(ctx, a.job.Fence, generation.CauseHandedBack)
		switch {
		case err == nil:
			return OutcomeHandedBack
		case over(err):
			return OutcomeLost
		case !workers.Pause(ctx, handBackRetry):
			a.log.Error("a job was not handed back, its lease must run out", slog.Any("error", err))
			return OutcomeLost
		}
	}
}

// keepLease extends the lease until the job is let go of, and lets go of it when the lease is lost.
func (a *attempt) keepLease(held context.Context) {
	until := a.job.LeaseUntil
	for wait := pace(until); workers.Pause(held, wait); {
		next, err := a.w.cfg.Claims.Extend(held, a.job.Fence)
		switch {
		case err == nil:
			until = next
			wait = pace(until)
		case over(err):
			a.log.Info("the job was taken from the worker", slog.String("code", string(domain.CodeOf(err))))
			a.letGo(errLost)
		case !time.Now().Before(until):
			a.log.Error("the lease ran out", slog.Any("error", err))
			a.letGo(errLost)
		default:
			wait = leaseRetry
		}
	}
}

// pace returns how long the worker waits before it asks again. A clock that is off cannot make a flood of calls.
func pace(until time.Time) time.Duration {
	return max(min(time.Until(until)/leaseShare, leaseCheck), leaseRetry)
}

// over reports whether the answer to a fence means that the attempt is over.
func over(err error) bool {
	switch domain.CodeOf(err) {
	case domain.CodeStaleAttempt, domain.CodeAlreadyEnded, domain.CodeNotFound:
		return true
	default:
		return false
	}
}

// heedDrain lets go of the job when the worker shuts down and the job will not be done within the grace.
func (a *attempt) heedDrain(held, draining context.Context) {
	select {
	case <-held.Done():
		return
	case <-draining.Done():
	}
	if a.remaining() <= a.w.cfg.Grace {
		workers.Pause(held, a.w.cfg.Grace)
	}
	a.letGo(errDrained)
}

// remaining estimates how long the job will take still: from what is done, or else from the estimate.
func (a *attempt) remaining() time.Duration {
	elapsed := time.Since(a.started)
	if done := a.meter.done(); done > 0 {
		return time.Duration(float64(elapsed) * (1 - done) / done)
	}
	return max(a.job.estimate()-elapsed, 0)
}

// forget lets the engine remove what it keeps of the attempt. What stays is removed when the engine cleans up.
func (a *attempt) forget(held context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(held), forgetTimeout)
	defer cancel()
	if err := a.w.cfg.Engine.Forget(ctx, string(a.job.Generation), a.job.Attempt); err != nil {
		a.log.Warn("an engine keeps what is left of an attempt", slog.Any("error", err))
	}
}

func (a *attempt) warn(what string) func(error) {
	return func(err error) { a.log.Warn(what, slog.Any("error", err)) }
}
