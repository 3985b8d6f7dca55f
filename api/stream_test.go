package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/api"
	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// frame is one server-sent event, or a comment.
type frame struct{ id, event, data, comment string }

// watcher reads a stream.
type watcher struct {
	t        testing.TB
	response *http.Response
	lines    *bufio.Scanner
	cancel   context.CancelFunc
}

// watch opens a stream over a real connection.
func (c customer) watch(id string, headers ...http.Header) *watcher {
	c.f.t.Helper()
	ctx, cancel := context.WithTimeout(c.f.t.Context(), 10*time.Second)
	r, err := http.NewRequestWithContext(ctx, "GET", c.f.http.URL+"/v1/generations/"+id+"/events", nil)
	require.NoError(c.f.t, err)
	r.Header.Set("Authorization", "Bearer "+c.secret)
	for _, h := range headers {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	response, err := c.f.http.Client().Do(r)
	require.NoError(c.f.t, err)
	w := &watcher{t: c.f.t, response: response, lines: bufio.NewScanner(response.Body), cancel: cancel}
	w.lines.Buffer(nil, 1<<20)
	c.f.t.Cleanup(w.close)
	return w
}

func (w *watcher) close() {
	w.cancel()
	w.response.Body.Close()
}

// next returns the next frame, and false at the end of the stream.
func (w *watcher) next() (frame, bool) {
	var f frame
	for w.lines.Scan() {
		name, value, _ := strings.Cut(w.lines.Text(), ": ")
		switch name {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			f.data = value
		case "":
			if value != "" || strings.HasPrefix(w.lines.Text(), ":") {
				f.comment = value
				continue
			}
			return f, true
		}
	}
	return f, false
}

func (w *watcher) expect(event string, into any) frame {
	w.t.Helper()
	f, ok := w.next()
	require.True(w.t, ok, "the stream ended")
	require.Equal(w.t, event, f.event, f.data)
	require.NoError(w.t, json.Unmarshal([]byte(f.data), into))
	return f
}

func (w *watcher) ends() {
	w.t.Helper()
	f, ok := w.next()
	require.False(w.t, ok, "%+v", f)
}

func TestStreamTellsALifeFromSnapshotToEnd(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	w := c.watch(id)
	require.Equal(t, "text/event-stream", w.response.Header.Get("Content-Type"))
	var snapshot gen.Generation
	require.Equal(t, "1", w.expect("snapshot", &snapshot).id)
	require.Equal(t, gen.StatusQueued, snapshot.Status)
	require.NotNil(t, snapshot.Queue)

	c.claim(id)
	f.hub.Changed(domain.GenerationID(id))
	var status gen.StatusFrame
	require.Equal(t, "2", w.expect("status", &status).id)
	require.Equal(t, gen.StatusRunning, status.Status)

	f.hub.Progress(generation.Progress{Generation: domain.GenerationID(id), Attempt: 0, Fraction: 0.9})
	f.hub.Progress(generation.Progress{
		Generation: domain.GenerationID(id), Attempt: 1, Stage: "denoise", Image: 1, Images: 1, Fraction: 0.5,
		Preview: "data:image/png;base64,AA==",
	})
	var progress gen.ProgressFrame
	require.Equal(t, "2", w.expect("progress", &progress).id)
	require.InDelta(t, 0.5, progress.Fraction, 0)
	require.Equal(t, "data:image/png;base64,AA==", *progress.Preview)

	r := c.call("POST", "/v1/generations/"+id+"/cancel", nil)
	require.Equal(t, http.StatusOK, r.status, r.body)
	f.hub.Changed(domain.GenerationID(id))
	require.Equal(t, "3", w.expect("status", &status).id)
	require.Equal(t, gen.StatusCancelled, status.Status)
	w.ends()
}

func TestStreamResumesWithWhatWasMissed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	c.finish(id)
	w := c.watch(id, headerOf("Last-Event-ID", "1"))
	var status gen.StatusFrame
	require.Equal(t, "2", w.expect("status", &status).id)
	require.Equal(t, gen.StatusRunning, status.Status)
	require.Equal(t, "3", w.expect("status", &status).id)
	require.Equal(t, gen.StatusSucceeded, status.Status)
	w.ends()

	var snapshot gen.Generation
	nothingMissed := c.watch(id, headerOf("Last-Event-ID", "3"))
	require.Equal(t, "3", nothingMissed.expect("snapshot", &snapshot).id)
	nothingMissed.ends()
	require.Equal(t, http.StatusBadRequest, c.watch(id, headerOf("Last-Event-ID", "x")).response.StatusCode)
}

func TestStreamPollsWhereNobodyWakesIt(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(cfg *api.Config) { cfg.Hub, cfg.Poll = nil, time.Millisecond })
	c := f.open("alice")
	id := c.request("purchase").ID
	w := c.watch(id)
	w.expect("snapshot", &gen.Generation{})
	c.claim(id)
	var status gen.StatusFrame
	w.expect("status", &status)
	require.Equal(t, gen.StatusRunning, status.Status)
}

func TestStreamKeepsTheLineOpenAndStopsWithTheServer(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, func(cfg *api.Config) { cfg.Heartbeat = time.Millisecond })
	c := f.open("alice")
	w := c.watch(c.request("purchase").ID)
	w.expect("snapshot", &gen.Generation{})
	beat, ok := w.next()
	require.True(t, ok)
	require.Equal(t, "still here", beat.comment)
	require.Empty(t, beat.event)
	f.server.Stop()
	for ok {
		_, ok = w.next()
	}
	require.NoError(t, w.lines.Err())
}

func TestAccountMayHaveSoManyStreams(t *testing.T) {
	t.Parallel()
	const most = 16
	f := newFixture(t)
	c, other := f.open("alice"), f.open("bob")
	id := c.request("purchase").ID
	open := make([]*watcher, most)
	for i := range open {
		open[i] = c.watch(id)
		open[i].expect("snapshot", &gen.Generation{})
	}
	refused := c.call("GET", "/v1/generations/"+id+"/events", nil)
	require.Equal(t, "too-many-streams", refused.problem(t).Code)
	require.Equal(t, http.StatusTooManyRequests, refused.status)
	require.Equal(t, http.StatusOK, other.watch(other.request("purchase").ID).response.StatusCode)
	open[0].close()
	require.Eventually(t, func() bool {
		w := c.watch(id)
		return w.response.StatusCode == http.StatusOK
	}, 5*time.Second, 10*time.Millisecond)
}

func TestManyReadersGetTheEndAndNoneHoldsTheHubUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.open("alice")
	id := c.request("purchase").ID
	watchers := make([]*watcher, 8)
	for i := range watchers {
		watchers[i] = c.watch(id)
		watchers[i].expect("snapshot", &gen.Generation{})
	}
	c.claim(id)
	for i := range 10_000 { // nobody reads meanwhile
		f.hub.Progress(generation.Progress{
			Generation: domain.GenerationID(id), Attempt: 1, Fraction: float64(i) / 10_000,
		})
	}
	c.call("POST", "/v1/generations/"+id+"/cancel", nil)
	f.hub.Changed(domain.GenerationID(id))
	for _, w := range watchers {
		var last frame
		frames := 0
		for next, ok := w.next(); ok; next, ok = w.next() {
			last = next
			frames++
		}
		require.Contains(t, last.data, `"cancelled"`)
		require.Less(t, frames, 10)
	}
}
