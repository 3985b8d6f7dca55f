package ledgerbench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Bounds of one call.
const (
	wireTimeout    = 30 * time.Second
	wireAnswerMax  = 1 << 20
	wireBufferSize = 4 << 10
)

// request is a POST.
type request struct {
	path, body  string
	secret, key string // empty leaves the header out
}

// wire is one HTTP/1.1 connection with as little work as possible: the load generator shares the processor with what
// it measures, and the client of net/http takes longer over a call than the servers' net/http does.
type wire struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
	host string
	out  []byte
	body []byte
}

func newWire(conn io.ReadWriteCloser, host string) *wire {
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, wireBufferSize), host: host}
}

// call sends a request and returns the body of the answer, which is good until the next call.
func (w *wire) call(ctx context.Context, r request) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.write(r)
	if _, err := w.conn.Write(w.out); err != nil {
		return nil, err
	}
	return w.answer()
}

func (w *wire) write(r request) {
	w.out = append(append(w.out[:0], "POST "...), r.path...)
	w.out = append(append(w.out, " HTTP/1.1\r\nHost: "...), w.host...)
	if r.secret != "" {
		w.out = append(append(w.out, "\r\nAuthorization: Bearer "...), r.secret...)
	}
	if r.key != "" {
		w.out = append(append(w.out, "\r\nIdempotency-Key: "...), r.key...)
	}
	if r.body != "" {
		w.out = append(w.out, "\r\nContent-Type: application/json"...)
	}
	w.out = append(w.out, "\r\nContent-Length: "...)
	w.out = strconv.AppendInt(w.out, int64(len(r.body)), 10)
	w.out = append(append(w.out, "\r\n\r\n"...), r.body...)
}

// statusAt is where the status code stands in "HTTP/1.1 200 OK".
const statusAt = len("HTTP/1.1 ")

var contentLength = []byte("Content-Length: ")

func (w *wire) answer() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("read an answer: %w", err)
	}
	if len(line) < statusAt+3 {
		return nil, fmt.Errorf("not an HTTP answer: %q", line)
	}
	good, status := line[statusAt] == '2', string(line[statusAt:statusAt+3])
	length := -1
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return nil, fmt.Errorf("read the headers of an answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, is := bytes.CutPrefix(line, contentLength); is {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return nil, fmt.Errorf("read the length of an answer: %w", err)
			}
		}
	}
	if length < 0 || length > wireAnswerMax {
		return nil, errors.New("an answer has no length, or is too long")
	}
	w.body = append(w.body[:0], make([]byte, length)...)
	if _, err := io.ReadFull(w.in, w.body); err != nil {
		return nil, fmt.Errorf("read the body of an answer: %w", err)
	}
	if !good {
		return nil, fmt.Errorf("answer %s: %s", status, w.body)
	}
	return w.body, nil
}
