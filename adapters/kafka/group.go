package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

const (
	// rebalanceTimeout is how long the others wait for a member that is still draining.
	rebalanceTimeout   = 10 * time.Second
	joinBackoff        = 500 * time.Millisecond
	coordinatorTimeout = 5 * time.Second
	// commitAcksMax is how many acks may be uncommitted before the commit interval is over.
	commitAcksMax = 100
)

// runGroup is one member of the group until the context ends.
func (s *Subscriber) runGroup(ctx context.Context, topic string, out chan<- *message.Message) {
	log := s.cluster.log.With("group", s.cfg.Group, "topic", topic)
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID:                s.cfg.Group,
		Brokers:           s.cluster.brokers,
		Dialer:            s.cluster.dialer,
		Topics:            []string{topic},
		HeartbeatInterval: s.cfg.HeartbeatInterval,
		SessionTimeout:    s.cfg.SessionTimeout,
		RebalanceTimeout:  rebalanceTimeout,
		JoinGroupBackoff:  joinBackoff,
		Timeout:           coordinatorTimeout,
		StartOffset:       s.cfg.Start,
	})
	if err != nil {
		log.Error("kafka group not joined: invalid configuration", "error", err)
		return
	}
	// Close ends the generation, waits for its partitions and their last commit, and leaves the group.
	defer func() { _ = group.Close() }()
	var ended <-chan struct{}
	for {
		gen, err := group.Next(ctx)
		switch {
		case err == nil:
			log.Info("kafka group joined", "generation", gen.ID, "partitions", len(gen.Assignments[topic]))
			ended = s.startGeneration(ctx, gen, topic, out)
		case ctx.Err() != nil:
			awaitJoin(group, ended)
			return
		case errors.Is(err, kafkago.ErrGroupClosed):
			return
		default:
			log.Warn("kafka group not joined, trying again", "error", err)
		}
	}
}

// awaitJoin waits until a join that is under way is over. kafka-go forgets to leave the group when it is closed right
// after a join failed because of yet another rebalance, and then all others wait for the ghost until the rebalance
// timeout. ended is nil or belongs to the newest generation.
func awaitJoin(group *kafkago.ConsumerGroup, ended <-chan struct{}) {
	if ended != nil {
		select {
		case <-ended:
		default:
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), rebalanceTimeout)
	defer cancel()
	for {
		if _, err := group.Next(ctx); !errors.Is(err, kafkago.RebalanceInProgress) {
			return
		}
	}
}

// generation is what one member does between two rebalances.
type generation struct {
	sub   *Subscriber
	gen   *kafkago.Generation
	topic string
	marks *watermarks
	out   chan<- *message.Message
}

// startGeneration returns a channel that is closed when the generation ends.
func (s *Subscriber) startGeneration(
	ctx context.Context, gen *kafkago.Generation, topic string, out chan<- *message.Message,
) <-chan struct{} {
	g := &generation{sub: s, gen: gen, topic: topic, marks: newWatermarks(), out: out}
	ended := make(chan struct{})
	gen.Start(func(genCtx context.Context) {
		context.AfterFunc(genCtx, func() { close(ended) })
		// The messages live as long as both the subscription and the generation.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(genCtx, cancel)()
		g.run(ctx)
		// Returning earlier would make the member rejoin while the subscription is ending.
		<-genCtx.Done()
	})
	return ended
}

func (g *generation) run(ctx context.Context) {
	var readers, committer sync.WaitGroup
	stop := make(chan struct{})
	committer.Go(func() { g.commitLoop(stop) })
	for _, assigned := range g.gen.Assignments[g.topic] {
		readers.Go(func() { g.runPartition(ctx, assigned) })
	}
	readers.Wait()
	close(stop)
	committer.Wait()
	g.commit()
}

// runPartition reads an assigned partition until the context ends.
func (g *generation) runPartition(ctx context.Context, assigned kafkago.PartitionAssignment) {
	start, err := g.start(ctx, assigned)
	if err != nil {
		return // The context ended.
	}
	f := &follower{
		cluster: g.sub.cluster, topic: g.topic, partition: assigned.ID, next: start,
		maxBytes: fetchBytesSingle, onLost: g.sub.reportLoss,
		handle: g.sub.oneByOne(delivery{sub: g.sub, out: g.out}, func(next int64) { g.marks.set(assigned.ID, next) }),
	}
	// With reportLoss and oneByOne the run has no end but that of the context.
	_ = f.run(ctx)
}

// start resolves FirstOffset and LastOffset and commits the result: without that, a group that started at the end and
// was rebalanced before its first ack would start at a later end and skip what came between.
func (g *generation) start(ctx context.Context, assigned kafkago.PartitionAssignment) (int64, error) {
	if assigned.Offset >= 0 {
		return assigned.Offset, nil
	}
	retry := backoff{min: fetchBackoffMin, max: fetchBackoffMax}
	for {
		found, err := g.sub.cluster.offsets(ctx, g.topic, []int{assigned.ID})
		if err == nil {
			start := found[assigned.ID].resolve(assigned.Offset)
			g.marks.set(assigned.ID, start)
			return start, nil
		}
		wait := retry.next()
		if ctx.Err() == nil {
			g.sub.cluster.log.Warn("kafka start offset unknown, trying again", "topic", g.topic,
				"partition", assigned.ID, "retry_in", wait, "error", err)
		}
		if !pause(ctx, wait) {
			return 0, fmt.Errorf("find the start offset: %w", ctx.Err())
		}
	}
}

func (g *generation) commitLoop(stop <-chan struct{}) {
	ticker := time.NewTicker(g.sub.cfg.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		case <-g.marks.full:
		}
		g.commit()
	}
}

// commit goes through the generation, so the coordinator refuses it once the partitions belong to a later one.
func (g *generation) commit() {
	offsets := g.marks.take()
	if len(offsets) == 0 {
		return
	}
	if err := g.gen.CommitOffsets(map[string]map[int]int64{g.topic: offsets}); err != nil {
		g.marks.putBack(offsets)
		g.sub.cluster.log.Warn("kafka offsets not committed", "group", g.sub.cfg.Group, "topic", g.topic,
			"generation", g.gen.ID, "error", err)
	}
}

// watermarks hold the offset after the last finished record of each partition until it is committed. There is one
// record in work per partition, so the mark of a partition only grows.
type watermarks struct {
	mu   sync.Mutex
	next map[int]int64
	acks int
	// full gets a signal when commitAcksMax acks are waiting.
	full chan struct{}
}

func newWatermarks() *watermarks {
	return &watermarks{next: make(map[int]int64), full: make(chan struct{}, 1)}
}

func (w *watermarks) set(partition int, next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next[partition] = next
	if w.acks++; w.acks < commitAcksMax {
		return
	}
	w.acks = 0
	select {
	case w.full <- struct{}{}:
	default:
	}
}

// take returns the marks to commit and forgets them.
func (w *watermarks) take() map[int]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := maps.Clone(w.next)
	clear(w.next)
	w.acks = 0
	return taken
}

// putBack keeps marks whose commit failed, unless newer ones came.
func (w *watermarks) putBack(marks map[int]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for partition, next := range marks {
		if _, newer := w.next[partition]; !newer {
			w.next[partition] = next
		}
	}
}
