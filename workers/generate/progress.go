package generate

import (
	"context"
	"encoding/base64"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
)

// progressEvery is the least time between two published frames of a job.
const progressEvery = 500 * time.Millisecond

// previewPrefix makes a data URL of an engine's preview, a JPEG.
const previewPrefix = "data:image/jpeg;base64,"

// meter takes an engine's progress without ever blocking it, and publishes the newest frame from time to time.
type meter struct {
	fence  Fence
	frames chan Progress // holds the newest unpublished frame

	mu       sync.Mutex
	fraction float64
}

func newMeter(f Fence) *meter { return &meter{fence: f, frames: make(chan Progress, 1)} }

// report is the function that the engine calls, one call at a time.
func (m *meter) report(p Progress) {
	m.mu.Lock()
	m.fraction = min(p.Fraction, 1)
	m.mu.Unlock()
	select {
	case <-m.frames:
	default:
	}
	select {
	case m.frames <- p:
	default: // only a reader can have come between
	}
}

// finish notes that the engine is done.
func (m *meter) finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fraction = 1
}

// done returns the share of the job that is done, 0 to 1.
func (m *meter) done() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fraction
}

// publish runs until ctx ends. A frame that is lost is made up for by the next.
func (m *meter) publish(ctx context.Context, to message.Publisher, failed func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-m.frames:
			if err := m.send(to, p); err != nil {
				failed(err)
			}
		}
		if !workers.Pause(ctx, progressEvery) {
			return
		}
	}
}

func (m *meter) send(to message.Publisher, p Progress) error {
	frame := generation.Progress{
		Generation: m.fence.Generation, Attempt: m.fence.Attempt, Stage: p.Stage, Image: p.Image, Images: p.Images,
		Fraction: p.Fraction,
	}
	if len(p.Preview) > 0 {
		frame.Preview = previewPrefix + base64.StdEncoding.EncodeToString(p.Preview)
	}
	msg, err := workers.NewMessage(string(frame.Generation), frame)
	if err != nil {
		return err
	}
	return to.Publish(generation.TopicProgress, msg)
}
