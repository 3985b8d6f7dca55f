package memory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/pingvas/pingvas/eventstore"
)

// Config describes a new, empty ledger.
type Config struct {
	// Shards is the number of shards.
	Shards int
	// Now gives the time of recording.
	Now func() time.Time
}

// Validate returns what is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Shards < 1 || c.Shards > eventstore.ShardsMax {
		errs = append(errs, fmt.Errorf("%d shards, must be 1 to %d", c.Shards, eventstore.ShardsMax))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("the store needs a clock"))
	}
	return errors.Join(errs...)
}

// Store is an eventstore.Store in memory. With the same clock and calls it gives the same answers.
type Store struct {
	shards []*shard
	now    func() time.Time
}

var _ eventstore.Store = (*Store)(nil)

// shard is guarded by mu. Events are only ever added.
type shard struct {
	mu        sync.RWMutex
	events    []eventstore.Envelope
	streams   map[string][]int // indexes in events
	outcomes  map[eventstore.OutcomeKey]eventstore.Outcome
	snapshots map[string]eventstore.Snapshot
}

// New returns an empty store.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{shards: make([]*shard, cfg.Shards), now: cfg.Now}
	for i := range s.shards {
		s.shards[i] = &shard{
			streams: map[string][]int{}, outcomes: map[eventstore.OutcomeKey]eventstore.Outcome{},
			snapshots: map[string]eventstore.Snapshot{},
		}
	}
	return s, nil
}

// Shards implements eventstore.Store.
func (s *Store) Shards() int { return len(s.shards) }

// Append implements eventstore.Store. Like the database it looks only at what was appended since the head that the
// caller knows, except that no version is recorded twice: so a test in memory finds who claims to know too much.
func (s *Store) Append(ctx context.Context, batches []eventstore.Batch) ([]eventstore.Appended, error) {
	if err := eventstore.CheckBatches(len(s.shards), batches); err != nil {
		return nil, err
	}
	if err := checkJSON(batches); err != nil {
		return nil, err
	}
	out := make([]eventstore.Appended, len(batches))
	for i, b := range batches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i] = s.shards[b.Shard].append(b, s.now().UTC().Truncate(time.Microsecond))
	}
	return out, ctx.Err()
}

// append records a batch. As in a database, none of its units sees another; they share neither streams nor keys.
func (s *shard) append(b eventstore.Batch, now time.Time) eventstore.Appended {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := eventstore.Appended{Before: s.head(), Results: make([]eventstore.Result, len(b.Units))}
	out.Missed = s.missed(b.Known)
	statuses := s.statuses(b, out.Missed)
	for i, u := range b.Units {
		if out.Results[i].Status = statuses[i]; statuses[i] == eventstore.StatusAppended {
			out.Results[i].First = s.record(b.Shard, u, now)
		}
	}
	out.After = s.head()
	return out
}

func checkJSON(batches []eventstore.Batch) error {
	for _, b := range batches {
		for _, u := range b.Units {
			for _, e := range u.Events {
				if !isJSON(e.Data) || !isJSON(e.Metadata) {
					return eventstore.NotJSON()
				}
			}
			for _, o := range u.Outcomes {
				if o.Body != nil && !isJSON(o.Body) {
					return eventstore.NotJSON()
				}
			}
		}
	}
	return nil
}

// isJSON is stricter than json.Valid, which lets bytes that are not UTF-8 pass.
func isJSON(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }

// missed returns what was appended since a head.
func (s *shard) missed(known *eventstore.Head) []eventstore.Envelope {
	if known == nil || known.Pos >= int64(len(s.events)) || int64(len(s.events))-known.Pos > eventstore.MissedMax {
		return nil
	}
	if known.Pos > 0 && s.events[known.Pos-1].Chain != known.Chain {
		return nil
	}
	out := make([]eventstore.Envelope, 0, int64(len(s.events))-known.Pos)
	for _, e := range s.events[known.Pos:] {
		e = clone(e)
		e.RecordedAt, e.Chain = time.Time{}, eventstore.Hash{}
		out = append(out, e)
	}
	return out
}

// statuses says what becomes of the units.
func (s *shard) statuses(b eventstore.Batch, missed []eventstore.Envelope) []eventstore.Status {
	out := make([]eventstore.Status, len(b.Units))
	if b.Known != nil && !b.Check && (*b.Known == s.head() || missed != nil) {
		moved := map[string]int64{}
		for _, e := range missed {
			moved[e.Stream] = e.Version
		}
		known := true
		for i, u := range b.Units {
			out[i] = s.statusSince(u, moved)
			known = known && (out[i] != eventstore.StatusAppended || !s.repeats(u))
		}
		if known {
			return out
		}
	}
	for i, u := range b.Units {
		out[i] = s.status(u)
	}
	return out
}

// statusSince is the status of a unit if only these streams have moved on, to these versions.
func (s *shard) statusSince(u eventstore.Unit, moved map[string]int64) eventstore.Status {
	late := slices.ContainsFunc(u.Reads, func(r eventstore.StreamVersion) bool { return moved[r.Stream] > r.Version }) ||
		slices.ContainsFunc(u.Events, func(e eventstore.NewEvent) bool { return moved[e.Stream] >= e.Version })
	switch {
	case !late:
		return eventstore.StatusAppended
	case s.hasKey(u):
		return eventstore.StatusDuplicate
	default:
		return eventstore.StatusConflict
	}
}

// repeats reports whether the unit has a key or a version that was recorded before.
func (s *shard) repeats(u eventstore.Unit) bool {
	return s.hasKey(u) || slices.ContainsFunc(u.Events, func(e eventstore.NewEvent) bool {
		return e.Version <= int64(len(s.streams[e.Stream]))
	})
}

func (s *shard) hasKey(u eventstore.Unit) bool {
	return slices.ContainsFunc(u.Outcomes, func(o eventstore.NewOutcome) bool {
		_, ok := s.outcomes[eventstore.OutcomeKey{Account: u.Account, Key: o.Key}]
		return ok
	})
}

// status puts duplicates first: who asks again after success finds both its key and newer versions.
func (s *shard) status(u eventstore.Unit) eventstore.Status {
	if s.hasKey(u) {
		return eventstore.StatusDuplicate
	}
	for _, r := range u.Reads {
		if r.Version != int64(len(s.streams[r.Stream])) {
			return eventstore.StatusConflict
		}
	}
	seen := map[string]bool{}
	for _, e := range u.Events {
		if !seen[e.Stream] && e.Version != int64(len(s.streams[e.Stream]))+1 {
			return eventstore.StatusConflict
		}
		seen[e.Stream] = true
	}
	return eventstore.StatusAppended
}

// record returns the Result.First of the unit.
func (s *shard) record(index int, u eventstore.Unit, now time.Time) int64 {
	before := s.head().Pos
	for _, e := range u.Events {
		head := s.head()
		leaf := eventstore.LeafHash(index, e)
		s.streams[e.Stream] = append(s.streams[e.Stream], len(s.events))
		s.events = append(s.events, eventstore.Envelope{
			Shard: index, Pos: head.Pos + 1, Stream: e.Stream, Version: e.Version, Type: e.Type,
			Data: bytes.Clone(e.Data), Metadata: bytes.Clone(e.Metadata), RecordedAt: now,
			Chain: eventstore.ChainHash(head.Chain, head.Pos+1, leaf),
		})
	}
	for _, o := range u.Outcomes {
		recorded := eventstore.Outcome{Key: o.Key, RequestHash: o.RequestHash, Body: bytes.Clone(o.Body)}
		if o.Events > 0 {
			recorded.Position = eventstore.Position{Shard: index, Pos: before + int64(o.Events)}
		}
		if o.Body == nil {
			recorded.Events = s.events[recorded.Position.Pos-int64(o.Span) : recorded.Position.Pos]
		}
		s.outcomes[eventstore.OutcomeKey{Account: u.Account, Key: o.Key}] = recorded
	}
	if len(u.Events) == 0 {
		return before
	}
	return before + 1
}

func (s *shard) head() eventstore.Head {
	if len(s.events) == 0 {
		return eventstore.Head{}
	}
	last := s.events[len(s.events)-1]
	return eventstore.Head{Pos: last.Pos, Chain: last.Chain}
}

// ReadShard implements eventstore.Store.
func (s *Store) ReadShard(ctx context.Context, shard int, after int64, limit int) ([]eventstore.Envelope, error) {
	if err := eventstore.CheckRead(shard, len(s.shards), limit); err != nil {
		return nil, err
	}
	sh := s.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	first := min(max(after, 0), int64(len(sh.events)))
	last := min(first+int64(limit), int64(len(sh.events)))
	out := make([]eventstore.Envelope, 0, last-first)
	for _, e := range sh.events[first:last] {
		out = append(out, clone(e))
	}
	return out, ctx.Err()
}

// ReadStreams implements eventstore.Store.
func (s *Store) ReadStreams(
	ctx context.Context, shard int, after []eventstore.StreamVersion, limit int,
) ([]eventstore.Envelope, error) {
	if err := errors.Join(eventstore.CheckRead(shard, len(s.shards), limit), eventstore.CheckStreams(after)); err != nil {
		return nil, err
	}
	sorted := slices.SortedFunc(slices.Values(after), func(a, b eventstore.StreamVersion) int {
		return cmp.Compare(a.Stream, b.Stream)
	})
	sh := s.shards[shard]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	out := []eventstore.Envelope{}
	for _, a := range sorted {
		indexes := sh.streams[a.Stream]
		indexes = indexes[min(max(a.Version, 0), int64(len(indexes))):]
		for _, i := range indexes[:min(len(indexes), limit-len(out))] {
			out = append(out, clone(sh.events[i]))
		}
	}
	return out, ctx.Err()
}

// Heads implements eventstore.Store.
func (s *Store) Heads(ctx context.Context) ([]eventstore.Head, error) {
	heads := make([]eventstore.Head, len(s.shards))
	for i, sh := range s.shards {
		sh.mu.RLock()
		heads[i] = sh.head()
		sh.mu.RUnlock()
	}
	return heads, ctx.Err()
}

func (s *Store) outcome(key eventstore.OutcomeKey) (eventstore.Outcome, bool) {
	sh := s.shards[eventstore.ShardOf(key.Account, len(s.shards))]
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	o, ok := sh.outcomes[key]
	o.Body, o.Events = bytes.Clone(o.Body), slices.Clone(o.Events)
	for i := range o.Events {
		o.Events[i] = clone(o.Events[i])
	}
	return o, ok
}

// Outcomes implements eventstore.Store.
func (s *Store) Outcomes(
	ctx context.Context, keys []eventstore.OutcomeKey,
) (map[eventstore.OutcomeKey]eventstore.Outcome, error) {
	if err := eventstore.CheckKeys(keys); err != nil {
		return nil, err
	}
	out := map[eventstore.OutcomeKey]eventstore.Outcome{}
	for _, k := range keys {
		if o, ok := s.outcome(k); ok {
			out[k] = o
		}
	}
	return out, ctx.Err()
}

// clone keeps readers from changing what was written.
func clone(e eventstore.Envelope) eventstore.Envelope {
	e.Data, e.Metadata = bytes.Clone(e.Data), bytes.Clone(e.Metadata)
	return e
}
