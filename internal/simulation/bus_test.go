package simulation

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/eventstore/outbox"
	"github.com/pingvas/pingvas/workers"
)

// publishing is the kind of call that writes to the bus through watermill.
const publishing = "publish"

// record is one message of a log. One that was compacted away is nil in its log.
type record struct {
	key     string
	value   []byte
	headers map[string]string
}

// bus holds the logs. It is used while everything else rests, or by the only goroutine that does not.
type bus struct {
	w       *world
	events  [][]*record          // the topic of the ledger, by partition
	offers  map[string][]*record // by topic, of one partition each
	results *group
	dead    []*record
	// epoch grows when logs are cut: what was on its way to the old ones does not arrive.
	epoch int
	// breaks counts how often the readers of offers were thrown off.
	breaks int

	checkpoints []int64
	leader      *life
	depose      context.CancelFunc // tells the newest leader that it is none any more
}

func newBus(w *world, shards int) *bus {
	return &bus{
		w: w, events: make([][]*record, shards), offers: map[string][]*record{}, checkpoints: make([]int64, shards),
		results: &group{partitions: make([]partition, resultPartitions)},
	}
}

// publisher is the bus as one process writes to it through watermill.
type publisher struct {
	w *world
	l *life
}

// Close implements message.Publisher.
func (publisher) Close() error { return nil }

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	if topic == generation.TopicProgress || len(messages) == 0 {
		return nil // losing it loses nothing
	}
	records := make([]*record, len(messages))
	for i, msg := range messages {
		records[i] = &record{msg.Metadata.Get(workers.MetadataKey), msg.Payload, msg.Metadata}
	}
	// The order of different keys promises nothing, and the dispatcher's is that of a map.
	slices.SortStableFunc(records, func(a, b *record) int { return cmp.Compare(a.key, b.key) })
	t := p.w.enter(context.Background(), &call{
		by: p.l, kind: publishing, key: topic + " " + records[0].key, class: sending, swift: p.l.p.role == roleDispatch,
	})
	return p.w.apply(t, func() error { p.w.bus.write(topic, records); return nil })
}

func (b *bus) write(topic string, records []*record) {
	records = b.w.bugs.records(topic, records)
	for _, r := range records {
		b.w.trace.detail("  log", topic, r.key, string(r.value))
		switch {
		case topic == generation.TopicResults:
			p := &b.results.partitions[partitionOf(r.key)]
			p.log = append(p.log, r)
		case strings.HasSuffix(topic, workers.DeadLetterTopic("")):
			b.dead = append(b.dead, r)
		default:
			b.offers[topic] = append(b.offers[topic], r)
		}
	}
}

func partitionOf(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32() % resultPartitions)
}

// open returns what is offered, as a reader of the whole topics would see it.
func (b *bus) open() []string {
	var open []string
	for _, topic := range slices.Sorted(maps.Keys(b.offers)) {
		last := map[string]bool{}
		for _, r := range b.offers[topic] {
			if r != nil {
				last[r.key] = len(r.value) > 0
			}
		}
		for _, key := range slices.Sorted(maps.Keys(last)) {
			if last[key] {
				open = append(open, key)
			}
		}
	}
	return open
}

// compact removes what has a successor, as the broker does when it likes.
func (b *bus) compact() {
	for _, log := range b.offers {
		newer := map[string]bool{}
		for i := len(log) - 1; i >= 0; i-- {
			if log[i] == nil {
				continue
			}
			if newer[log[i].key] {
				log[i] = nil
				continue
			}
			newer[log[i].key] = true
		}
	}
}

// broadcast reads topics of offers from their start.
type broadcast struct {
	w *world
	l *life
}

// reader is a message.Subscriber of broadcast mode.
type reader struct {
	broadcast
	caughtUp func(topic string)
}

func (b broadcast) open(caughtUp func(string)) (message.Subscriber, error) {
	return &reader{broadcast: b, caughtUp: caughtUp}, nil
}

// Close implements message.Subscriber. The contexts of the subscriptions end before.
func (r *reader) Close() error { return nil }

// Subscribe implements message.Subscriber.
func (r *reader) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	r.w.look()
	out := make(chan *message.Message)
	end := len(r.w.bus.offers[topic])
	go r.follow(ctx, topic, end, out)
	return out, nil
}

func (r *reader) follow(ctx context.Context, topic string, end int, out chan<- *message.Message) {
	defer close(out)
	b, next, breaks := r.w.bus, 0, r.w.bus.breaks
	if end == 0 {
		r.caughtUp(topic)
	}
	for {
		t := r.w.enter(ctx, &call{by: r.l, kind: "fetch", key: topic, class: reading, ready: func() bool {
			return len(b.offers[topic]) > next || b.breaks > breaks && r.l.p.role == roleWorker
		}})
		switch {
		case ctx.Err() != nil || t.fate == gone || b.breaks > breaks:
			return
		case t.fate != done:
			continue
		}
		// What was there at the start comes at once: nobody acts on it before it is whole. The rest comes one by one, so
		// that it does not depend on chance what is seen by those who act.
		for _, rec := range b.offers[topic][next:max(next+1, end)] {
			if rec != nil && !deliver(ctx, rec, out) {
				return
			}
			if next++; next == end {
				r.caughtUp(topic)
			}
		}
	}
}

// deliver hands out a message and reports whether it was acknowledged.
func deliver(ctx context.Context, rec *record, out chan<- *message.Message) bool {
	msg := message.NewMessage(rec.key, rec.value)
	for name, value := range rec.headers {
		msg.Metadata.Set(name, value)
	}
	msg.SetContext(ctx)
	select {
	case out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	case <-ctx.Done():
		return false
	}
}

// recordPort is the bus as the outbox writes to it.
type recordPort struct {
	w *world
	l *life
}

// Publish implements outbox.Publisher.
func (p recordPort) Publish(ctx context.Context, topic string, part int, records []outbox.Record) (int64, error) {
	p.w.look()
	epoch := p.w.bus.epoch
	t := p.w.enter(ctx, &call{by: p.l, kind: "publish events", key: strconv.Itoa(part), class: sending})
	last := outbox.OffsetUnknown
	return last, p.l.noted(part, p.w.apply(t, func() error {
		if p.w.bus.epoch != epoch {
			return errFault
		}
		written := make([]*record, len(records))
		for i, r := range records {
			written[i] = &record{r.Key, r.Value, r.Headers}
		}
		p.w.bus.events[part] = append(p.w.bus.events[part], p.w.bugs.records(topic, written)...)
		return nil
	}))
}

// checkpointPort holds the checkpoints of the outbox.
type checkpointPort struct {
	w *world
	l *life
}

// Load implements outbox.Checkpoints.
func (p checkpointPort) Load(ctx context.Context, shard int) (int64, error) {
	t := p.w.enter(ctx, &call{by: p.l, kind: "load checkpoint", key: strconv.Itoa(shard), class: reading})
	var pos int64
	err := p.w.apply(t, func() error { pos = p.w.bus.checkpoints[shard]; return nil })
	moved := p.l.left(shard, pos)
	_ = p.l.noted(shard, cmp.Or(err, moved))
	return pos, err
}

// Move implements outbox.Checkpoints.
func (p checkpointPort) Move(ctx context.Context, shard int, from, to int64) error {
	t := p.w.enter(ctx, &call{by: p.l, kind: "move checkpoint", key: strconv.Itoa(shard), class: writing})
	err := p.w.apply(t, func() error {
		if p.w.bus.checkpoints[shard] != from {
			return outbox.ErrMoved
		}
		p.w.bus.checkpoints[shard] = to
		return nil
	})
	_ = p.l.left(shard, to)
	return p.l.noted(shard, err)
}

// noted remembers whether an outbox is about to begin a shard anew. As long as it is, it is told of no new heads: it
// would find them together with a tick of its clock, and which of them it takes is for Go to choose.
func (l *life) noted(shard int, err error) error {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	l.trouble[shard] = err != nil
	return err
}

// left remembers where a shard's checkpoint is, and returns an error if it was somewhere else.
func (l *life) left(shard int, pos int64) error {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	last, known := l.checkpoints[shard]
	l.checkpoints[shard] = pos
	if known && last != pos {
		return outbox.ErrMoved
	}
	return nil
}

// tailPort looks at the ends of partitions.
type tailPort struct {
	w *world
	l *life
}

// Tail implements outbox.Tails.
func (p tailPort) Tail(ctx context.Context, _ string, part int) (outbox.Tail, error) {
	t := p.w.enter(ctx, &call{by: p.l, kind: "tail", key: strconv.Itoa(part), class: reading})
	tail := outbox.Tail{Known: true}
	err := p.w.apply(t, func() error {
		log := p.w.bus.events[part]
		if len(log) == 0 {
			return nil
		}
		e, err := unwire(log[len(log)-1])
		tail.Pos, tail.Chain, tail.Offset = e.Pos, e.Chain, int64(len(log)-1)
		return err
	})
	return tail, p.l.noted(part, err)
}

func unwire(r *record) (eventstore.Envelope, error) {
	return eventstore.FromWire(func(name string) string { return r.headers[name] }, r.value)
}

// leadership makes one outbox the leader, and now and then a second one.
type leadership struct {
	w *world
	l *life
}

// Lead implements outbox.Leadership.
func (p leadership) Lead(ctx context.Context, _ int, work func(context.Context) error) error {
	t := p.w.enter(ctx, &call{by: p.l, kind: "lead", ready: func() bool { return p.w.bus.leader == nil }})
	if t.fate != done {
		return cmp.Or(ctx.Err(), errFault)
	}
	ctx, depose := context.WithCancel(ctx)
	defer depose()
	p.w.bus.depose = depose
	p.w.bus.leader = p.l
	p.l.heads = nil
	return work(ctx)
}

// steal makes the leader lose its lock, which it notices some time later.
func (b *bus) steal(after time.Duration) {
	if b.leader != nil {
		b.leader = nil
		b.w.later(after, b.depose)
	}
}

// published returns up to which position a shard was published without a gap.
func (b *bus) published(shard int) int64 {
	var last int64
	for _, r := range b.events[shard] {
		e, err := eventstore.ParsePosition(r.headers[eventstore.HeaderID])
		if err != nil || e.Pos > last+1 {
			return last
		}
		last = max(last, e.Pos)
	}
	return last
}

// feed tells a dispatcher of new events soon: what it tells may come twice, and what comes between may be missing.
type feed struct {
	w *world
	l *life
}

// Follow implements dispatch.Feed.
func (f feed) Follow(ctx context.Context, handle func(context.Context, []eventstore.Envelope) error) error {
	f.w.look()
	next := make([]int, len(f.w.bus.events))
	for i, log := range f.w.bus.events {
		next[i] = len(log)
	}
	for {
		part := -1
		t := f.w.enter(ctx, &call{by: f.l, kind: "feed", class: reading, ready: func() bool {
			part = -1
			for i, log := range f.w.bus.events {
				if part < 0 && len(log) > next[i] {
					part = i
				}
			}
			return part >= 0 && !f.w.busy(f.l)
		}})
		if t.fate != done {
			return cmp.Or(ctx.Err(), errFault)
		}
		log := f.w.bus.events[part]
		from := min(next[part], len(log)-1)
		switch t.dice % 8 {
		case 0:
			from = max(0, from-2) // again
		case 1:
			from = len(log) - 1 // with a gap
		}
		next[part] = len(log)
		batch := make([]eventstore.Envelope, 0, len(log)-from)
		for _, r := range log[from:] {
			e, err := unwire(r)
			if err != nil {
				return err
			}
			batch = append(batch, e)
		}
		if err := handle(ctx, batch); err != nil {
			return err
		}
	}
}

// cut loses the ends of the partitions of the ledger's topic, as a broker does that was not asked to sync.
func (b *bus) cut(dice uint64) {
	b.epoch++
	for i, log := range b.events {
		keep := uint64(len(log)) - dice%4
		b.events[i] = log[:min(keep, uint64(len(log)))]
	}
}

// left notes that a process is gone.
func (b *bus) left(l *life) {
	if b.leader == l {
		b.w.later(leaderLease, func() {
			if b.leader == l {
				b.leader = nil
			}
		})
	}
	b.results.leave(l)
}

// leaderLease is how long it takes until a dead leader is known to be dead.
const leaderLease = 300*time.Millisecond + 3
