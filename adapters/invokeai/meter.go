package invokeai

import (
	"sync"
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

// denoiseShare is the part of a picture's time that is counted for its denoising; the rest is loading and decoding.
const denoiseShare = 0.9

// meter turns what the server tells into progress of the whole job. Its reports never fall and come one at a time.
type meter struct {
	report func(generate.Progress)
	count  int

	mu      sync.Mutex
	done    int // pictures
	last    float64
	preview time.Time // of the last one
}

func newMeter(count int, report func(generate.Progress)) *meter {
	return &meter{report: report, count: count}
}

// completed notes how many pictures are done.
func (m *meter) completed(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.done {
		m.done = min(n, m.count)
		m.send("encoding", 0, nil)
	}
}

// loading notes that a model is being loaded.
func (m *meter) loading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send("loading", 0, nil)
}

// denoising notes how much of the denoising of the present picture is done. Previews are let through from time to
// time only.
func (m *meter) denoising(share float64, preview []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); preview != nil && now.Sub(m.preview) >= PreviewEvery {
		m.preview = now
	} else {
		preview = nil
	}
	m.send("denoising", share*denoiseShare, preview)
}

// encoding notes that the present picture is denoised.
func (m *meter) encoding() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.send("encoding", denoiseShare, nil)
}

// send needs the lock.
func (m *meter) send(stage string, share float64, preview []byte) {
	m.last = min(1, max(m.last, (float64(m.done)+min(max(share, 0), 1))/float64(m.count)))
	m.report(generate.Progress{
		Stage: stage, Image: min(m.done, m.count-1), Images: m.count, Fraction: m.last, Preview: preview,
	})
}
