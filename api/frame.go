package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// frameWriter writes server-sent events, each at once.
type frameWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// listen lifts the deadline for reading the request, which would end the stream: it was read long ago.
func (f frameWriter) listen() error {
	if err := f.control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("lift the read deadline of a stream: %w", err)
	}
	return nil
}

// event writes one frame. JSON holds no line breaks, so one data line is enough.
func (f frameWriter) event(name string, id int64, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode a %s frame: %w", name, err)
	}
	return f.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, name, body))
}

// comment keeps the line open: proxies close what is silent.
func (f frameWriter) comment() error { return f.write(": still here\n\n") }

func (f frameWriter) write(text string) error {
	deadline := time.Now().Add(frameWriteLimit)
	if err := f.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("set the deadline of a frame: %w", err)
	}
	if _, err := f.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write a frame: %w", err)
	}
	if err := f.control.Flush(); err != nil {
		return fmt.Errorf("flush a frame: %w", err)
	}
	return nil
}
