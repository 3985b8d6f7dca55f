package invokeai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/pingvas/pingvas/workers"
)

// Bounds of the socket.
const (
	// frameBytesMax bounds one frame: an event names the whole invocation and may hold a preview.
	frameBytesMax   = 8 << 20
	previewBytesMax = 256 << 10
	// socketRetry is the pause before a socket that broke is opened again.
	socketRetry   = time.Second
	socketTimeout = 5 * time.Second
	// silenceMax is how long a socket may be silent: the server sends a ping every 25 s.
	silenceMax = time.Minute
)

// The packets of Engine.IO 4 and, inside of its messages, of Socket.IO 5.
const (
	packetOpen    = "0"
	packetPing    = "2"
	packetPong    = "3"
	packetConnect = "40"
	packetEvent   = "42"
	packetAck     = "43"
	// subscription is the number of the event that subscribes, under which it is acknowledged.
	subscription = "1"
)

// listen tells a run what the server's socket says, until ctx ends. Without a socket the run is only polled.
func (e *Engine) listen(ctx context.Context, r *run) {
	for ctx.Err() == nil {
		if err := e.follow(ctx, r); err != nil && ctx.Err() == nil {
			e.cfg.Log.Debug("the socket of the server broke", "error", err)
		}
		if !workers.Pause(ctx, socketRetry) {
			return
		}
	}
}

// follow opens the socket and reads it to its end.
func (e *Engine) follow(ctx context.Context, r *run) error {
	conn, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	loads := &loadTimes{began: map[string]time.Time{}, observe: e.cfg.Observe}
	for {
		text, err := read(ctx, conn)
		switch {
		case err != nil:
			return err
		case text == packetPing:
			err = write(ctx, conn, packetPong)
		case strings.HasPrefix(text, packetOpen):
			err = write(ctx, conn, packetConnect)
		case strings.HasPrefix(text, packetConnect):
			err = write(ctx, conn, packetEvent+subscription+`["subscribe_queue",{"queue_id":"default"}]`)
		case strings.HasPrefix(text, packetAck+subscription):
			r.awake() // what happened before this moment is not told
			if r.hears != nil {
				r.hears()
			}
		case strings.HasPrefix(text, packetEvent):
			r.hear(text[len(packetEvent):], loads)
		}
		if err != nil {
			return err
		}
	}
}

func (e *Engine) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	target := "ws" + strings.TrimPrefix(e.client.base, "http") + "/ws/socket.io/?EIO=4&transport=websocket"
	conn, _, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPClient: &http.Client{
		Transport: e.cfg.Client.Transport,
	}})
	if err != nil {
		return nil, fmt.Errorf("open the socket: %w", err)
	}
	conn.SetReadLimit(frameBytesMax)
	return conn, nil
}

func read(ctx context.Context, conn *websocket.Conn) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, silenceMax)
	defer cancel()
	kind, text, err := conn.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		err = errors.New("a frame that is no text")
	}
	return string(text), err
}

func write(ctx context.Context, conn *websocket.Conn, text string) error {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, []byte(text))
}

// told is what is read of an event.
type told struct {
	BatchID    string   `json:"batch_id"`
	Node       string   `json:"invocation_source_id"`
	Percentage *float64 `json:"percentage"`
	Image      *struct {
		DataURL string `json:"dataURL"`
	} `json:"image"`
	Model *struct {
		Base string `json:"base"`
		Key  string `json:"key"`
	} `json:"config"`
	Part string `json:"submodel_type"`
}

// hear takes one event. What it cannot read it passes over: the poll knows better.
func (r *run) hear(text string, loads *loadTimes) {
	var name string
	var event told
	parts := []any{&name, &event}
	if json.Unmarshal([]byte(text), &parts) != nil {
		return
	}
	switch name {
	case "model_load_started":
		loads.started(event)
		r.meter.loading()
		return
	case "model_load_complete":
		loads.complete(event)
		return
	case "queue_cleared", "queue_items_canceled":
		r.awake()
		return
	}
	if event.BatchID != r.id {
		return
	}
	switch {
	case name == "queue_item_status_changed", name == "batch_enqueued":
		r.awake()
	case name == "invocation_progress" && event.Node == nodeDenoise && event.Percentage != nil:
		r.meter.denoising(*event.Percentage, event.preview())
	case name == "invocation_started" && event.Node == nodeOut:
		r.meter.encoding()
	}
}

// preview returns the small JPEG of an event, or nil.
func (t told) preview() []byte {
	if t.Image == nil {
		return nil
	}
	encoded, ok := strings.CutPrefix(t.Image.DataURL, "data:image/jpeg;base64,")
	if !ok || len(encoded) > previewBytesMax {
		return nil
	}
	picture, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !strings.HasPrefix(string(picture), "\xff\xd8\xff") {
		return nil
	}
	return picture
}

// loadTimes measures how long models take to load. Only one goroutine uses it.
type loadTimes struct {
	began   map[string]time.Time
	observe Observer
}

// loadsMax bounds the loads that are measured at once.
const loadsMax = 64

func (l *loadTimes) started(t told) {
	if t.Model != nil && len(l.began) < loadsMax {
		l.began[t.Model.Key+t.Part] = time.Now()
	}
}

func (l *loadTimes) complete(t told) {
	if t.Model == nil {
		return
	}
	if began, ok := l.began[t.Model.Key+t.Part]; ok {
		delete(l.began, t.Model.Key+t.Part)
		l.observe.ModelLoaded(t.Model.Base, t.Part, time.Since(began))
	}
}
