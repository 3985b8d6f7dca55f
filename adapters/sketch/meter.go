package sketch

import (
	"time"

	"github.com/pingvas/pingvas/workers/generate"
)

const (
	// reportEvery is the least time between two previews.
	reportEvery = 250 * time.Millisecond
	// encodeShare is the weight of encoding, in steps; it is counted so that 100 % is not shown too early.
	encodeShare = 1
)

// meter turns drawn rows into progress reports, not too many of them.
type meter struct {
	report        func(generate.Progress)
	images, steps int
	height        int
	image         int
	last          time.Time
}

func newMeter(r generate.Request, report func(generate.Progress)) *meter {
	return &meter{report: report, images: r.Count, steps: r.Steps, height: r.Height}
}

// begin starts an image.
func (m *meter) begin(image int) {
	m.image = image
	if image == 0 {
		m.send("denoising", 0, nil)
	}
}

// drawn reports that a pass has come to a row, if the last report is old enough.
func (m *meter) drawn(c *canvas, step, row int) {
	if time.Since(m.last) < reportEvery {
		return
	}
	done := float64(step) + float64(row)/float64(m.height)
	m.send("denoising", done, c.preview(row, step))
}

// encoding reports that all passes of an image are done, with the picture as it will be.
func (m *meter) encoding(c *canvas) {
	if time.Since(m.last) < reportEvery && m.image+1 < m.images {
		return
	}
	m.send("encoding", float64(m.steps), c.preview(0, 0))
}

// finish reports the end of the job.
func (m *meter) finish() { m.send("encoding", float64(m.steps+encodeShare), nil) }

func (m *meter) send(stage string, steps float64, preview []byte) {
	whole := float64(m.steps + encodeShare)
	m.report(generate.Progress{
		Stage: stage, Image: m.image, Images: m.images, Preview: preview,
		Fraction: min(1, (float64(m.image)*whole+steps)/(whole*float64(m.images))),
	})
	m.last = time.Now() // after the report, so that one that blocks does not bring the next nearer
}
