package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
)

// ledgerTails lets the outbox see how far the topic goes. It is asked again and again, so it reads a record only where
// the log has changed: reading opens a connection.
type ledgerTails struct {
	admin *kafka.Admin

	mu    sync.Mutex
	known map[int]knownTail
}

type knownTail struct {
	start, end int64
	tail       outbox.Tail
}

func newLedgerTails(cluster *kafka.Cluster) *ledgerTails {
	return &ledgerTails{admin: kafka.NewAdmin(cluster), known: map[int]knownTail{}}
}

// Tail implements outbox.Tails.
func (t *ledgerTails) Tail(ctx context.Context, topic string, partition int) (outbox.Tail, error) {
	start, end, err := t.admin.Bounds(ctx, topic, partition)
	if err != nil {
		return outbox.Tail{}, err
	}
	t.mu.Lock()
	known, ok := t.known[partition]
	t.mu.Unlock()
	if ok && known.start == start && known.end == end {
		return known.tail, nil
	}
	tail, err := t.read(ctx, topic, partition)
	if err != nil {
		return outbox.Tail{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[partition] = knownTail{start, end, tail}
	return tail, nil
}

func (t *ledgerTails) read(ctx context.Context, topic string, partition int) (outbox.Tail, error) {
	last, empty, err := t.admin.Last(ctx, topic, partition, repeated)
	if err != nil || last == nil {
		return outbox.Tail{Known: empty}, err
	}
	e, err := eventstore.FromWire(header(*last), last.Value)
	if err != nil {
		return outbox.Tail{}, fmt.Errorf("read the end of %s/%d: %w", topic, partition, err)
	}
	return outbox.Tail{Known: true, Pos: e.Pos, Offset: last.Offset, Chain: e.Chain}, nil
}

// repeated tells records apart that say nothing about how far the topic goes.
func repeated(r kafka.Record) bool {
	return header(r)(outbox.HeaderRepeated) != "" || header(r)(kafka.HeaderReplayed) != ""
}
