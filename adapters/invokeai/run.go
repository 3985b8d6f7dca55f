package invokeai

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"slices"
	"time"

	"github.com/pingvas/pingvas/workers"
	"github.com/pingvas/pingvas/workers/generate"
)

// run is one batch that is waited for.
type run struct {
	engine *Engine
	id     string // of the batch
	job    string
	count  int
	meter  *meter
	// wake gets a signal when the socket has told of a change.
	wake chan struct{}
	// hears is called when the socket has begun to tell of the batch; nil if nobody waits for that.
	hears func()
}

// watch polls the batch until it has ended, and returns its items in the order of their seeds. It returns an
// *generate.EngineError, or ctx's error.
func (r *run) watch(ctx context.Context) ([]item, error) {
	cfg := r.engine.cfg
	heard := time.Now()
	for {
		now, err := r.engine.client.batchStatus(ctx, r.id)
		if err == nil {
			heard = time.Now()
			r.meter.completed(now.Completed)
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && time.Since(heard) > cfg.LostAfter:
			return nil, unavailable("the server was lost in the middle of a job", err)
		case err == nil && now.Total == 0:
			return nil, interrupted("the server has forgotten the batch: it was restarted")
		case err == nil && (now.Failed > 0 || now.Canceled > 0 || now.Completed >= r.count):
			items, err := r.ended(ctx)
			if err == nil || !errors.Is(err, errAgain) {
				return items, err
			}
		}
		if !r.pause(ctx, cfg.Poll) {
			return nil, ctx.Err()
		}
	}
}

// errAgain is why a batch is looked at once more: what was read in two calls does not fit together yet.
var errAgain = errors.New("look again")

// ended reads the items of a batch of which some failed, or all are complete.
func (r *run) ended(ctx context.Context) ([]item, error) {
	all, err := r.engine.client.items(ctx, r.job)
	if err != nil {
		return nil, errAgain
	}
	items := slices.DeleteFunc(all, func(i item) bool { return i.BatchID != r.id })
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.ID, b.ID) })
	complete := 0
	for _, i := range items {
		switch i.Status {
		case statusFailed:
			return nil, failedItem(i)
		case statusCanceled:
			return nil, interrupted("the server has cancelled the batch by itself: it was restarted")
		case statusCompleted:
			complete++
		}
	}
	if complete < r.count {
		return nil, errAgain
	}
	return items, nil
}

// pause waits for the next look.
func (r *run) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-r.wake:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// awake makes the next look come at once.
func (r *run) awake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// collect reads the pictures of the items.
func (e *Engine) collect(ctx context.Context, items []item, r generate.Request) (generate.Output, error) {
	var out generate.Output
	for n, i := range items {
		made, err := i.output()
		if err != nil {
			return out, broken("read a result", err)
		}
		file, err := e.readImage(ctx, made.Image.Name)
		if err != nil {
			return out, unavailable("read a picture", err)
		}
		about, err := png.DecodeConfig(bytes.NewReader(file))
		if err != nil {
			return out, broken("a picture is no PNG", err)
		}
		if about.Width != r.Width || about.Height != r.Height {
			return out, broken(fmt.Sprintf("a picture has %dx%d pixels", about.Width, about.Height), nil)
		}
		out.GPUTime += i.took()
		out.Images = append(out.Images, generate.Image{
			PNG: file, Seed: r.Seed + uint32(n), Width: about.Width, Height: about.Height,
		})
	}
	return out, nil
}

// How often a picture is asked for that the server is moving at the moment.
const (
	readTries = 20
	readRetry = 100 * time.Millisecond
)

func (e *Engine) readImage(ctx context.Context, name string) ([]byte, error) {
	for try := 1; ; try++ {
		file, err := e.client.imageBytes(ctx, name)
		if !hasStatus(err, http.StatusConflict) || try == readTries || !workers.Pause(ctx, readRetry) {
			return file, err
		}
	}
}

// settleEvery is the time between two looks at a batch that was cancelled.
const settleEvery = 50 * time.Millisecond

// abandon cancels a batch and waits until the server has let go of it. It goes on after ctx has ended. Items that were
// complete by then are left to Forget.
func (e *Engine) abandon(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	for {
		err := e.client.cancelBatches(ctx, id)
		if err == nil && e.letGo(ctx, id) {
			return
		}
		if unreachable(err) || !workers.Pause(ctx, settleEvery) {
			e.cfg.Log.Warn("a batch was cancelled, and the server has not let go of it yet", "batch", id, "error", err)
			return
		}
	}
}

// unreachable reports whether a call did not get through at all: a server that is away does not work on the batch.
func unreachable(err error) bool {
	var status *statusError
	return err != nil && !errors.As(err, &status)
}

// letGo reports whether nothing of a batch is open and the server does not work on it any more. The status of an item
// changes at once, the GPU stops at its next step.
func (e *Engine) letGo(ctx context.Context, id string) bool {
	left, err := e.client.batchStatus(ctx, id)
	if err != nil || left.open() > 0 {
		return false
	}
	queue, err := e.client.queueStatus(ctx)
	if err != nil {
		return false
	}
	other := queue.Queue.BatchID != "" && queue.Queue.BatchID != id
	return other || !queue.Processor.IsProcessing
}
