package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Bounds of what is logged and not written yet.
const (
	logDelay  = 50 * time.Millisecond
	logGather = 32 << 10 // bytes
)

// newLog returns a log and what writes the rest of it.
func newLog(level, format string, out io.Writer) (*slog.Logger, func()) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	lines := &logLines{out: out}
	options := &slog.HandlerOptions{Level: l}
	var handler slog.Handler = slog.NewTextHandler(lines, options)
	if format == "json" {
		handler = slog.NewJSONHandler(lines, options)
	}
	return slog.New(promptly{handler, lines}), lines.write
}

// logLines gathers lines: a server logs every request, and a call of the system for each takes longer than the line.
type logLines struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
}

// Write implements io.Writer. What cannot be written is lost, as it would be on standard error.
func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		time.AfterFunc(logDelay, l.write)
	}
	if l.waiting = append(l.waiting, line...); len(l.waiting) >= logGather {
		l.writeAll()
	}
	return len(line), nil
}

// write writes what has gathered.
func (l *logLines) write() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeAll()
}

func (l *logLines) writeAll() {
	if len(l.waiting) > 0 {
		_, _ = l.out.Write(l.waiting)
		l.waiting = l.waiting[:0]
	}
}

// promptly is a handler whose warnings and errors are written at once, with what has gathered before them.
type promptly struct {
	slog.Handler
	lines *logLines
}

// Handle implements slog.Handler.
func (p promptly) Handle(ctx context.Context, r slog.Record) error {
	err := p.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		p.lines.write()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (p promptly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptly{p.Handler.WithAttrs(attrs), p.lines}
}

// WithGroup implements slog.Handler.
func (p promptly) WithGroup(name string) slog.Handler {
	return promptly{p.Handler.WithGroup(name), p.lines}
}
