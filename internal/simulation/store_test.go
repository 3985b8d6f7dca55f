package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pingvas/pingvas/eventstore"
)

// storePort is the store as one process reaches it.
type storePort struct {
	w *world
	l *life
}

var _ eventstore.Store = storePort{}

func (s storePort) Shards() int { return s.w.store.Shards() }

func (s storePort) read(ctx context.Context, kind, key string) error {
	swift := s.l.p.role == roleDispatch
	t := s.w.enter(ctx, &call{by: s.l, kind: kind, key: key, class: reading, swift: swift, whose: whose(ctx)})
	return s.w.apply(t, func() error { return nil })
}

func (s storePort) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	t := s.w.enter(ctx, &call{by: s.l, kind: "append", key: shardsOf(batches), class: writing, whose: whose(ctx)})
	var out []eventstore.Appended
	err := s.w.apply(t, func() error {
		var err error
		out, err = s.w.store.Append(context.WithoutCancel(ctx), batches)
		s.w.lookAtHeads()
		for i, b := range batches {
			var results []eventstore.Result
			if err == nil {
				results = out[i].Results
			}
			s.w.trace.appended(s.l, b.Units, results)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// shardsOf names the shards of an append.
func shardsOf(batches []eventstore.Batch) string {
	names := make([]string, len(batches))
	for i, b := range batches {
		names[i] = strconv.Itoa(b.Shard)
	}
	return strings.Join(names, " ")
}

func (s storePort) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	names := make([]string, len(after))
	for i, a := range after {
		names[i] = a.Stream
	}
	if err := s.read(ctx, "read streams", slices.Max(names)); err != nil {
		return nil, err
	}
	return s.w.store.ReadStreams(ctx, shard, after, limit)
}

func (s storePort) ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error) {
	if err := s.l.noted(shard, s.read(ctx, "read shard", strconv.Itoa(shard))); err != nil {
		return nil, err
	}
	return s.w.store.ReadShard(ctx, shard, after, limit)
}

// Heads answers when there is something new: a process that is told nothing new would only ask again.
func (s storePort) Heads(ctx context.Context) ([]eventstore.Head, error) {
	t := s.w.enter(ctx, &call{by: s.l, kind: "heads", class: reading, ready: func() bool {
		return !s.w.busy(s.l) && !slices.Equal(s.l.heads, s.w.heads)
	}})
	if err := s.w.apply(t, func() error { return nil }); err != nil {
		return nil, err
	}
	s.l.heads = slices.Clone(s.w.heads)
	return s.w.store.Heads(ctx)
}

func (s storePort) Outcomes(
	ctx context.Context, keys []eventstore.OutcomeKey,
) (map[eventstore.OutcomeKey]eventstore.Outcome, error) {
	if err := s.read(ctx, "outcomes", fmt.Sprint(keys)); err != nil {
		return nil, err
	}
	return s.w.store.Outcomes(ctx, keys)
}

// callerKey is under which a context says for whom a request is served.
type callerKey struct{}

// whose tells requests apart that ask one process for the same at the same time.
func whose(ctx context.Context) string {
	name, _ := ctx.Value(callerKey{}).(string)
	return name
}

// busy reports whether a process waits for a turn with a lock in its hands, or is an outbox in the midst of publishing.
func (w *world) busy(l *life) bool {
	if slices.Contains(slices.Collect(maps.Values(l.trouble)), true) {
		return l.p.role == roleOutbox
	}
	return slices.ContainsFunc(w.calls, func(c *call) bool {
		return c.by == l && (c.swift || l.p.role == roleOutbox && c.kind != "heads")
	})
}

// lookAtHeads notes the positions of all shards.
func (w *world) lookAtHeads() {
	heads, _ := w.store.Heads(context.Background()) // fails only for a context that has ended
	for i, h := range heads {
		w.heads[i] = h.Pos
	}
}
