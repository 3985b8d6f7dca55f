package invokefake

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Bounds of the socket.
const (
	socketFrames  = 4096 // that wait to be written; more are dropped, as events are
	socketTimeout = 5 * time.Second
)

// socket is one listener.
type socket struct {
	frames     chan string
	subscribed bool
	told       int
	cancel     context.CancelFunc
}

// connect speaks Engine.IO 4 and Socket.IO 5 over a WebSocket.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse := s.faults.NoSocket
	s.mu.Unlock()
	if refuse || r.URL.Query().Get("EIO") != "4" || r.URL.Query().Get("transport") != "websocket" {
		detail(w, http.StatusForbidden, "no socket")
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	k := &socket{frames: make(chan string, socketFrames), cancel: cancel}
	s.mu.Lock()
	s.sockets[k] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sockets, k)
	}()
	k.frames <- `0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000}`
	k.frames <- "2"
	go s.read(ctx, cancel, conn, k)
	for {
		select {
		case <-ctx.Done():
			return
		case frame := <-k.frames:
			if send(ctx, conn, frame) != nil {
				return
			}
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, frame string) error {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, []byte(frame))
}

// read answers what the listener says.
func (s *Server) read(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn, k *socket) {
	defer cancel()
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		switch frame := string(text); {
		case frame == "40":
			k.frames <- `40{"sid":"socket"}`
		case strings.HasPrefix(frame, `421["subscribe_queue"`):
			s.mu.Lock()
			k.subscribed = true
			s.mu.Unlock()
			k.frames <- "431[]"
		}
	}
}

// tell sends an event to everyone who listens. It needs the lock.
func (s *Server) tell(name string, event any) {
	if s.faults.Silent {
		return
	}
	encoded, err := json.Marshal([]any{name, event})
	if err != nil {
		return
	}
	for k := range s.sockets {
		if !k.subscribed {
			continue
		}
		if k.told++; s.faults.BreakSocket > 0 && k.told > s.faults.BreakSocket {
			k.cancel()
			continue
		}
		select {
		case k.frames <- "42" + string(encoded):
		default:
		}
	}
}

// closeSockets needs the lock.
func (s *Server) closeSockets() {
	for k := range s.sockets {
		k.cancel()
	}
}
