package invokeai

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

// Engine runs jobs on one InvokeAI server. It is safe for concurrent use, though the server does one item at a time
// for each of its GPUs. Run keeps the server warm and clean; without it an Engine works, too, unless it is Tended.
type Engine struct {
	cfg    Config
	client *client
	server *server
	care   *care

	mu     sync.Mutex
	active int // jobs under way
}

var _ generate.Engine = (*Engine)(nil)

// New returns an engine. It does not connect.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.filled()
	c := newClient(cfg.URL, cfg.Client)
	e := &Engine{cfg: cfg, client: c, server: &server{client: c}, care: newCare(cfg.Recycle)}
	if cfg.Tended {
		e.care.cold()
	}
	return e, nil
}

// Describe implements generate.Engine. While Run warms the server up, it waits for that.
func (e *Engine) Describe(ctx context.Context) (generate.Description, error) {
	if err := e.care.await(ctx); err != nil {
		return generate.Description{}, err
	}
	k, err := e.server.look(ctx)
	if err != nil {
		return generate.Description{}, err
	}
	return generate.Description{Name: Name, Version: k.version, Models: e.offers(k)}, nil
}

// Generate implements generate.Engine.
func (e *Engine) Generate(
	ctx context.Context, job generate.Job, report func(generate.Progress)) (generate.Output, error) {
	if err := checkRequest(job.Request); err != nil {
		return generate.Output{}, err
	}
	k, err := e.server.look(ctx)
	if err != nil {
		return generate.Output{}, orEnded(ctx, err)
	}
	p, err := e.resolve(k, job.Request)
	if err != nil {
		return generate.Output{}, err
	}
	defer e.begin()()
	out, err := e.work(ctx, job, p, report)
	if err != nil {
		e.failed(ctx, err)
		return generate.Output{}, orEnded(ctx, err)
	}
	e.care.done()
	out.Engine, out.Version = Name, k.version
	return out, nil
}

// work takes a batch from its beginning, or from where a worker that died has left it, to its end.
func (e *Engine) work(
	ctx context.Context, job generate.Job, p plan, report func(generate.Progress),
) (generate.Output, error) {
	b := &run{
		engine: e, id: batchID(job.ID, job.Attempt), job: job.ID, count: job.Request.Count,
		meter: newMeter(job.Request.Count, report), wake: make(chan struct{}, 1),
	}
	watching, stop := context.WithCancel(ctx)
	var socket sync.WaitGroup
	socket.Go(func() { e.listen(watching, b) })
	defer socket.Wait()
	defer stop()
	if err := e.start(ctx, b, p); err != nil {
		return generate.Output{}, err
	}
	items, err := b.watch(ctx)
	if err != nil {
		e.abandon(ctx, b.id)
		return generate.Output{}, err
	}
	return e.collect(ctx, items, job.Request)
}

// start sees to it that the batch is in the queue, once.
func (e *Engine) start(ctx context.Context, b *run, p plan) error {
	items, err := e.client.items(ctx, b.job)
	if err != nil {
		return unavailable("look for the batch", err)
	}
	adopted := false
	var older []string
	for _, i := range items {
		switch {
		case i.BatchID == b.id:
			adopted = true
		case i.Origin == origin:
			older = append(older, i.BatchID)
		}
	}
	if slices.Sort(older); len(older) > 0 {
		if err := e.client.cancelBatches(ctx, slices.Compact(older)...); err != nil {
			return unavailable("cancel an earlier attempt", err)
		}
	}
	if adopted {
		return nil
	}
	if err := e.sendInputs(ctx, &p); err != nil {
		return err
	}
	return e.enqueue(ctx, b, p.draw(), seeds(p.request.Seed, p.request.Count))
}

// seeds returns the seed of every picture.
func seeds(first uint32, count int) []uint32 {
	all := make([]uint32, count)
	for i := range all {
		all[i] = first + uint32(i) // wraps at 2^32, as the port asks
	}
	return all
}

// enqueue puts a batch into the queue. Where the answer is lost, it looks whether the batch is there.
func (e *Engine) enqueue(ctx context.Context, b *run, d drawing, seeds []uint32) error {
	answer, err := e.client.enqueue(ctx, batch{
		ID: b.id, Origin: origin, Destination: b.job, Runs: 1, Graph: d.graph,
		Data: [][]substitution{{{d.seedNode, d.seedField, seeds}}},
	})
	var status *statusError
	switch {
	case errors.As(err, &status):
		return refusedBatch(err)
	case err != nil:
		if found, lookErr := e.client.batchStatus(ctx, b.id); lookErr == nil && found.Total == len(seeds) {
			return nil
		}
		e.abandon(ctx, b.id)
		return unavailable("enqueue the batch", err)
	case answer.Enqueued < len(seeds):
		e.abandon(ctx, b.id) // the server says nothing when its queue is full
		return unavailable(fmt.Sprintf("the queue took %d of %d items", answer.Enqueued, len(seeds)), nil)
	}
	return nil
}

// sendInputs stores the pictures of a request on the server.
func (e *Engine) sendInputs(ctx context.Context, p *plan) error {
	send := func(picture generate.Picture) (upload, error) {
		name, err := e.client.upload(ctx, picture.PNG)
		if err != nil {
			return upload{}, unavailable("upload an input", err)
		}
		return upload{name, picture.Width, picture.Height}, nil
	}
	if s := p.request.Source; s != nil {
		sent, err := send(*s)
		if err != nil {
			return err
		}
		p.source = &sent
	}
	for i := range p.control {
		sent, err := send(p.control[i].want.Picture)
		if err != nil {
			return err
		}
		p.control[i].image = sent
	}
	return nil
}

// begin counts a job that is under way; the function that it returns counts it out.
func (e *Engine) begin() func() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.active++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.active--
	}
}

func (e *Engine) idle() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.active == 0
}

// failed draws the conclusions from a failure.
func (e *Engine) failed(ctx context.Context, err error) {
	var failure *generate.EngineError
	if !errors.As(err, &failure) || ctx.Err() != nil {
		return
	}
	switch failure.Class {
	case generate.ClassOutOfMemory:
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), transferTimeout)
		defer cancel()
		if err := e.client.emptyModelCache(detached); err != nil {
			e.cfg.Log.Warn("the cache of models was not emptied", "error", err)
		}
		e.care.ranOut()
	case generate.ClassUnavailable, generate.ClassInterrupted:
		e.server.forget()
	}
}

// orEnded returns the end of the context, where that is why something failed.
func orEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// batchID is the name of an attempt in the server's queue.
func batchID(job string, attempt int) string { return job + "." + strconv.Itoa(attempt) }

// edgeMax and countMax are the largest picture and job that the engine takes from anyone.
const (
	edgeMax  = 4096
	countMax = 16
)

func checkRequest(r generate.Request) error {
	var faults []error
	switch r.Operation {
	case "text_to_image", "image_to_image":
	default:
		faults = append(faults, errors.New("the operation is unknown"))
	}
	if (r.Operation == "image_to_image") != (r.Source != nil) {
		faults = append(faults, errors.New("image_to_image and a source go together"))
	}
	if min(r.Width, r.Height) < 1 || max(r.Width, r.Height) > edgeMax {
		faults = append(faults, fmt.Errorf("the size %dx%d", r.Width, r.Height))
	}
	if r.Steps < 1 || r.Count < 1 || r.Count > countMax || len(r.LoRAs) > 9 || len(r.Controls) > 9 {
		faults = append(faults, errors.New("steps, count, LoRAs or controls are out of bounds"))
	}
	if err := errors.Join(faults...); err != nil {
		return &generate.EngineError{Class: generate.ClassInvalid, Message: "request cannot be drawn", Err: err}
	}
	return nil
}

// settleTimeout bounds how long the server is waited for after a cancellation: a model that loads is not interrupted.
const settleTimeout = time.Minute
