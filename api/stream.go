package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/queries"
)

// Bounds of a stream.
const (
	streamsMax      = 16                     // open at once, per account and process
	streamLifeMax   = 10 * time.Minute       // then the caller connects again, and its key is checked again
	progressEvery   = 500 * time.Millisecond // at most one progress frame in this time
	frameWriteLimit = 10 * time.Second       // for one frame to be taken by the connection
)

// StreamGeneration implements gen.StrictServerInterface.
func (s *Server) StreamGeneration(
	ctx context.Context, request gen.StreamGenerationRequestObject,
) (gen.StreamGenerationResponseObject, error) {
	account, id := callOf(ctx).who.Account, domain.GenerationID(request.Generation)
	seen, err := parseEventID(request.Params.LastEventID)
	if err != nil {
		return nil, err
	}
	if !s.streams.enter(account) {
		return nil, &refusal{code: codeTooManyStreams, detail: "close a stream, or poll the generation"}
	}
	watch := &stream{server: s, account: account, id: id, reader: s.hub.subscribe(id), ctx: ctx}
	begun := false
	defer func() {
		if !begun {
			watch.close()
		}
	}()
	if err := watch.begin(seen); err != nil {
		return nil, err
	}
	begun = true
	return watch, nil
}

// parseEventID returns the version in a Last-Event-ID, or 0 without one.
func parseEventID(header *string) (int64, error) {
	if or(header) == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(*header, 10, 64)
	if err != nil || version < 0 {
		return 0, invalidField("Last-Event-ID", "is not the id of a frame")
	}
	return version, nil
}

// stream is one caller that watches one generation.
type stream struct {
	server  *Server
	account domain.AccountID
	id      domain.GenerationID
	reader  *subscription
	ctx     context.Context // of the request, which the stream is the answer to

	first    *gen.Generation // the snapshot to begin with, or nil
	missed   []statusChange  // else the changes to begin with
	version  int64           // of the generation, as the caller knows it
	attempt  int
	final    bool
	progress time.Time // when the last progress frame was written
	out      frameWriter
}

// begin finds out what the caller does not know yet. It returns CodeNotFound unless the generation is the caller's.
func (t *stream) begin(seen int64) error {
	all, err := t.server.history.after(t.ctx, t.account, t.id, 0)
	if err != nil {
		return err
	}
	if seen > 0 && seen < all.version {
		for _, change := range all.list {
			if change.version > seen {
				t.missed = append(t.missed, change)
			}
		}
	}
	t.note(all)
	if len(t.missed) > 0 {
		return nil
	}
	read := queries.Read{Account: t.account, Min: all.position}
	found, _, err := t.server.queries.Generation(t.ctx, read, t.id)
	if domain.CodeOf(err) == domain.CodeNotFound { // it exists: the read model is behind
		return domain.Errorf(domain.CodeUnavailable, "the generation cannot be shown yet")
	}
	if err != nil {
		return err
	}
	view, err := t.server.toGeneration(t.ctx, found)
	if err != nil {
		return err
	}
	t.first, t.version, t.attempt, t.final = &view, found.Version, found.Attempt, found.Status.Final()
	return nil
}

func (t *stream) note(c changes) {
	t.version = max(t.version, c.version)
	if len(c.list) > 0 {
		t.attempt, t.final = c.list[len(c.list)-1].attempt, c.final()
	}
}

func (t *stream) close() {
	t.reader.close()
	t.server.streams.leave(t.account)
}

// VisitStreamGenerationResponse writes the stream. It returns when the generation has ended, the caller has left, the
// server stops, or the stream has lived long enough.
func (t *stream) VisitStreamGenerationResponse(w http.ResponseWriter) error {
	defer t.close()
	t.server.metrics.streams.Inc()
	defer t.server.metrics.streams.Dec()
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // a proxy that gathers the frames would defeat the stream
	w.WriteHeader(http.StatusOK)
	t.out = frameWriter{w: w, control: http.NewResponseController(w)}
	err := t.out.listen()
	if err == nil {
		err = t.opening()
	}
	if err == nil && !t.final {
		err = t.follow()
	}
	return t.ended(err)
}

// ended keeps what stopped a stream from becoming a problem: the answer has begun, so nothing more can be told. The
// caller connects again and gets the problem then.
func (t *stream) ended(err error) error {
	if err != nil && t.ctx.Err() == nil {
		c := callOf(t.ctx)
		t.server.log.WarnContext(t.ctx, "stream broke off", "request_id", c.id, "route", c.route, "error", err)
	}
	return nil
}

func (t *stream) opening() error {
	if t.first == nil {
		return t.statuses(t.missed)
	}
	if err := t.out.event("snapshot", t.version, t.first); err != nil || t.final {
		return err
	}
	return t.update() // the snapshot may have been behind
}

// follow writes what happens from now on.
func (t *stream) follow() error {
	heartbeat := time.NewTicker(t.server.heartbeat)
	defer heartbeat.Stop()
	poll := time.NewTicker(t.server.poll)
	defer poll.Stop()
	life := time.NewTimer(streamLifeMax)
	defer life.Stop()
	throttle := time.NewTimer(0)
	defer throttle.Stop()
	var pending *generation.Progress
	for !t.final {
		var err error
		select {
		case <-t.ctx.Done():
			return nil
		case <-t.server.stopping:
			return nil
		case <-life.C:
			return nil
		case <-heartbeat.C:
			err = t.out.comment()
		case <-poll.C:
			err = t.update()
		case <-throttle.C:
			pending, err = nil, t.show(pending)
		case <-t.reader.wake:
			changed, progress := t.reader.take()
			if progress != nil {
				pending = progress
				throttle.Reset(max(0, progressEvery-time.Since(t.progress)))
			}
			if changed {
				err = t.update()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// update writes the status changes that the caller does not know yet.
func (t *stream) update() error {
	news, err := t.server.history.after(t.ctx, t.account, t.id, t.version)
	if err != nil {
		return err
	}
	t.note(news)
	return t.statuses(news.list)
}

func (t *stream) statuses(list []statusChange) error {
	for _, c := range list {
		frame := gen.StatusFrame{
			ID: string(t.id), Status: gen.Status(c.status), Version: c.version, Attempt: opt(int32(c.attempt)),
			Cause: opt(c.cause), At: c.at, Position: c.position.String(),
		}
		if err := t.out.event("status", c.version, frame); err != nil {
			return err
		}
	}
	return nil
}

// show writes a progress frame, unless an older attempt sent it.
func (t *stream) show(p *generation.Progress) error {
	if p == nil || p.Attempt < t.attempt {
		return nil
	}
	t.progress = time.Now()
	return t.out.event("progress", t.version, gen.ProgressFrame{
		ID: string(t.id), Attempt: int32(p.Attempt), Stage: p.Stage, Image: int32(p.Image), Images: int32(p.Images),
		Fraction: p.Fraction, Preview: opt(p.Preview),
	})
}

// streamCount bounds the open streams of each account.
type streamCount struct {
	mu   sync.Mutex
	open map[domain.AccountID]int
}

func newStreamCount() *streamCount { return &streamCount{open: map[domain.AccountID]int{}} }

func (c *streamCount) enter(account domain.AccountID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[account] >= streamsMax {
		return false
	}
	c.open[account]++
	return true
}

func (c *streamCount) leave(account domain.AccountID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[account]--; c.open[account] == 0 {
		delete(c.open, account)
	}
}
