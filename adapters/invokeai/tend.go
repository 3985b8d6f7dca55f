package invokeai

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/generate"
)

// How the server is looked after.
const (
	tendEvery = 2 * time.Second
	// cleanEvery is how often what no job has cleaned up is removed, when there is no job.
	cleanEvery = 10 * time.Minute
	// warmTimeout bounds the warming of one model: tens of gigabytes come from the disk.
	warmTimeout = 15 * time.Minute
	warmRetry   = 5 * time.Second
	// warmEdge and warmSteps are the least that makes the server load every part of a model.
	warmEdge  = 512
	warmSteps = 1
)

// Run looks after the server until ctx ends, then returns nil: it warms it up before the first job and after every
// restart, measures it, and cleans up. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	e.care.cold()
	for e.warmUp(ctx) {
		e.care.warm()
		e.cfg.Log.Info("the image server is warm")
		e.tend(ctx)
		e.care.cold()
	}
	return nil
}

// Alive returns why the server should be restarted, or nil. A liveness probe of the server's container asks for it.
func (e *Engine) Alive() error {
	if reason := e.care.wanted(); reason != "" && e.idle() {
		return errors.New(reason)
	}
	return nil
}

// warmUp draws a picture without a model, which proves the whole way, and one with each model to be warmed. It tries
// until it succeeds, and returns false when ctx has ended.
func (e *Engine) warmUp(ctx context.Context) bool {
	for {
		err := e.Canary(ctx)
		for i := 0; err == nil && i < len(e.cfg.Warm); i++ {
			err = e.warmModel(ctx, e.cfg.Warm[i])
		}
		if err == nil || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		e.server.forget()
		e.cfg.Log.Warn("the image server is not ready", slog.Any("error", err), slog.Duration("retry_in", warmRetry))
		if !workers.Pause(ctx, warmRetry) {
			return false
		}
	}
}

// Canary has the server draw a picture that needs no model, the whole way of a job. It returns an error if the server
// cannot work.
func (e *Engine) Canary(ctx context.Context) error {
	if _, err := e.server.look(ctx); err != nil {
		return err
	}
	request := generate.Request{Width: canaryEdge, Height: canaryEdge, Count: 1, Seed: 1}
	return e.health(ctx, "canary", canary(), request)
}

func (e *Engine) warmModel(ctx context.Context, key string) error {
	k, err := e.server.look(ctx)
	if err != nil {
		return err
	}
	request := generate.Request{
		Operation: "text_to_image", Model: key, Prompt: "a lighthouse", Width: warmEdge, Height: warmEdge,
		Steps: warmSteps, Guidance: 1, Scheduler: "euler", Count: 1,
	}
	p, err := e.resolve(k, request)
	if err != nil {
		return err
	}
	return e.health(ctx, "warm-"+key, p.draw(), request)
}

// health runs a graph that is no job, and removes what it has made.
func (e *Engine) health(ctx context.Context, name string, d drawing, request generate.Request) error {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	attempt := int(time.Now().UnixMicro()) // never taken for an earlier one
	b := &run{
		engine: e, id: batchID(name, attempt), job: name, count: 1,
		meter: newMeter(1, func(generate.Progress) {}), wake: make(chan struct{}, 1),
	}
	defer e.overhear(ctx, b)()
	err := e.enqueue(ctx, b, d, []uint32{request.Seed})
	var items []item
	if err == nil {
		items, err = b.watch(ctx)
	}
	if err == nil {
		_, err = e.collect(ctx, items, request)
	} else {
		e.abandon(ctx, b.id)
	}
	if forgetErr := e.Forget(context.WithoutCancel(ctx), name, attempt); err == nil {
		err = forgetErr
	}
	return err
}

// overhear opens the socket for a batch and waits a moment until it is there, so that the loading of models is
// measured. The function that it returns closes it.
func (e *Engine) overhear(ctx context.Context, b *run) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hears, ended := make(chan struct{}), make(chan struct{})
	b.hears = sync.OnceFunc(func() { close(hears) })
	go func() {
		defer close(ended)
		e.listen(ctx, b)
	}()
	timer := time.NewTimer(socketTimeout)
	defer timer.Stop()
	select {
	case <-hears:
	case <-ctx.Done():
	case <-timer.C:
	}
	return func() {
		cancel()
		<-ended
	}
}

// tend measures and cleans the server. It returns when the server was away, and when ctx has ended.
func (e *Engine) tend(ctx context.Context) {
	cleaned := time.Now()
	recycled := false
	for workers.Pause(ctx, tendEvery) {
		if err := e.measure(ctx); err != nil {
			if ctx.Err() == nil {
				e.cfg.Log.Warn("the image server was away", slog.Any("error", err))
			}
			e.server.forget()
			return
		}
		if reason := e.care.wanted(); reason != "" && !recycled {
			recycled = true
			e.cfg.Log.Info("the image server should be restarted", slog.String("reason", reason))
			e.cfg.Observe.Recycled(reason)
		}
		if time.Since(cleaned) >= cleanEvery && e.idle() {
			cleaned = time.Now()
			if err := e.client.deleteIntermediates(ctx); err != nil && ctx.Err() == nil {
				e.cfg.Log.Warn("the image server was not cleaned", slog.Any("error", err))
			}
		}
	}
}

// measure tells the observer how the server does, and fails if it does not answer.
func (e *Engine) measure(ctx context.Context) error {
	queue, err := e.client.queueStatus(ctx)
	if err != nil {
		return err
	}
	e.cfg.Observe.Queue(queue.Queue.Pending, queue.Queue.InProgress)
	var cached int64
	if stats, err := e.client.cacheStats(ctx); err == nil {
		for _, size := range stats.Sizes {
			cached += size
		}
	}
	resident := residentBytes()
	e.care.resident(resident)
	e.cfg.Observe.Memory(resident, cached)
	return nil
}
