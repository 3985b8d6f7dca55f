package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	defaultAttemptsMax       = 5
	defaultRetryMin          = 100 * time.Millisecond
	defaultRetryMax          = 10 * time.Second
	defaultDrainTimeout      = 2 * time.Second
	defaultCommitInterval    = time.Second
	defaultHeartbeatInterval = 3 * time.Second
	// heartbeatMin keeps a typing error from flooding the coordinator.
	heartbeatMin          = 10 * time.Millisecond
	defaultSessionTimeout = 20 * time.Second
	sessionMin            = 500 * time.Millisecond
)

// SubscriberConfig says how a Subscriber reads. Zero durations and counts mean the defaults.
type SubscriberConfig struct {
	// Group is the consumer group; its members share the partitions. Empty is the broadcast mode: every subscriber
	// reads every partition and commits nothing.
	Group string
	// Start is FirstOffset or LastOffset: where to begin when the group has no committed offset, and always in
	// broadcast mode. 0 means FirstOffset.
	Start int64
	// DeadLetters receives messages that failed AttemptsMax times, on the topic DeadLetterTopic names. Nil retries
	// them for ever.
	DeadLetters message.Publisher
	// AttemptsMax is how often a message is delivered before it becomes a dead letter. Default 5.
	AttemptsMax int
	// RetryMin and RetryMax bound the pause before a nacked message is delivered again. Default 100 ms and 10 s.
	RetryMin, RetryMax time.Duration
	// DrainTimeout is how long a handler may go on after its context was cancelled and still have its ack counted.
	// Default 2 s; keep it well below the rebalance timeout of 10 s.
	DrainTimeout time.Duration
	// CommitInterval is the longest time an ack stays uncommitted. Default 1 s.
	CommitInterval time.Duration
	// HeartbeatInterval is how often a member reports to the coordinator, and so how soon it learns of a rebalance.
	// Default 3 s.
	HeartbeatInterval time.Duration
	// SessionTimeout is after how long without a report a member loses its partitions. Default 20 s; brokers may refuse
	// less than 6 s.
	SessionTimeout time.Duration
	// OnOffsetLost is called when offsets were lost and reading goes on at the start of the log: count it, alarm on
	// it. May be nil. It must not block.
	OnOffsetLost func(OffsetLoss)
	// OnCaughtUp is called once per Subscribe in broadcast mode, when everything that was in the topic at that time
	// has been acked. May be nil. It must not block.
	OnCaughtUp func(topic string)
}

// Validate reports every invalid field at once.
func (c SubscriberConfig) Validate() error {
	var errs []error
	if c.Start != 0 && c.Start != FirstOffset && c.Start != LastOffset {
		errs = append(errs, fmt.Errorf("start %d is neither FirstOffset nor LastOffset", c.Start))
	}
	if c.AttemptsMax < 0 {
		errs = append(errs, fmt.Errorf("max attempts %d is negative", c.AttemptsMax))
	}
	if c.RetryMin < 0 || c.RetryMax < c.RetryMin {
		errs = append(errs, fmt.Errorf("retry pauses %s to %s are not a range", c.RetryMin, c.RetryMax))
	}
	if c.DrainTimeout < 0 || c.DrainTimeout > rebalanceTimeout/2 {
		errs = append(errs, fmt.Errorf("drain timeout %s is outside 0..%s", c.DrainTimeout, rebalanceTimeout/2))
	}
	if c.CommitInterval < 0 {
		errs = append(errs, fmt.Errorf("commit interval %s is negative", c.CommitInterval))
	}
	session := c.SessionTimeout
	setDefault(&session, defaultSessionTimeout)
	if session < sessionMin {
		errs = append(errs, fmt.Errorf("session timeout %s is less than %s", session, sessionMin))
	}
	if h := c.HeartbeatInterval; h != 0 && (h < heartbeatMin || h > session/3) {
		errs = append(errs, fmt.Errorf("heartbeat interval %s is outside %s..%s", h, heartbeatMin, session/3))
	}
	return errors.Join(errs...)
}

func (c SubscriberConfig) withDefaults() SubscriberConfig {
	if c.Start == 0 {
		c.Start = FirstOffset
	}
	if c.AttemptsMax == 0 {
		c.AttemptsMax = defaultAttemptsMax
	}
	setDefault(&c.RetryMin, defaultRetryMin)
	setDefault(&c.RetryMax, max(defaultRetryMax, c.RetryMin))
	setDefault(&c.DrainTimeout, defaultDrainTimeout)
	setDefault(&c.CommitInterval, defaultCommitInterval)
	setDefault(&c.SessionTimeout, defaultSessionTimeout)
	setDefault(&c.HeartbeatInterval, min(defaultHeartbeatInterval, c.SessionTimeout/3))
	return c
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

var _ message.Subscriber = (*Subscriber)(nil)

// Subscriber implements message.Subscriber. Each Subscribe is an own member of the group, or an own reader in
// broadcast mode.
type Subscriber struct {
	cluster *Cluster
	cfg     SubscriberConfig

	// life ends when the subscriber closes; every subscription is tied to it.
	life context.Context
	end  context.CancelFunc

	mu     sync.Mutex
	closed bool
	runs   sync.WaitGroup
}

// NewSubscriber makes a subscriber on a shared cluster. Close it before the cluster.
func NewSubscriber(cluster *Cluster, cfg SubscriberConfig) (*Subscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka subscriber config: %w", err)
	}
	life, end := context.WithCancel(context.Background())
	return &Subscriber{cluster: cluster, cfg: cfg.withDefaults(), life: life, end: end}, nil
}

// Subscribe delivers the messages of an existing topic until the context or the subscriber ends; then the channel is
// closed. Partitions are delivered in parallel, the messages of one partition one at a time. It returns ErrClosed, or
// why the topic could not be looked up; trouble after that is retried and logged.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	run, err := s.prepare(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrClosed)
	}
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(s.life, cancel)
	out := make(chan *message.Message)
	s.runs.Go(func() {
		defer close(out)
		defer cancel()
		defer detach()
		run(ctx, out)
	})
	return out, nil
}

// runFunc delivers into the channel until the context ends.
type runFunc func(ctx context.Context, out chan<- *message.Message)

// subscribeWait is how long a subscription waits for a topic that is not there: long enough for another process to
// create it again that looks every few seconds whether one has vanished.
const subscribeWait = 15 * time.Second

// prepare does what must be known before Subscribe returns: that the topic exists and, in broadcast mode, where it
// ends now.
func (s *Subscriber) prepare(ctx context.Context, topic string) (runFunc, error) {
	if s.life.Err() != nil {
		return nil, ErrClosed
	}
	if _, err := s.cluster.await(ctx, topic, subscribeWait); err != nil {
		return nil, err
	}
	if s.cfg.Group != "" {
		return func(ctx context.Context, out chan<- *message.Message) { s.runGroup(ctx, topic, out) }, nil
	}
	found, err := s.cluster.allOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, out chan<- *message.Message) { s.runBroadcast(ctx, topic, found, out) }, nil
}

// Close ends all subscriptions, commits what they acked and waits for them. It is safe to call twice.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.runs.Wait()
	return nil
}

// reportLoss makes a loss of offsets visible and goes on at what is left: the records are still in the event store,
// and standing still would only lose more.
func (s *Subscriber) reportLoss(loss OffsetLoss) (int64, error) {
	loss.Group = s.cfg.Group
	s.cluster.log.Error("kafka offsets lost, going on at the start of the log",
		"topic", loss.Topic, "partition", loss.Partition, "group", loss.Group, "wanted", loss.Wanted,
		"log_start", loss.LogStart, "log_end", loss.LogEnd, "missed", loss.Missed(), "recreated", loss.Recreated)
	if s.cfg.OnOffsetLost != nil {
		s.cfg.OnOffsetLost(loss)
	}
	return loss.LogStart, nil
}

// translateClosed gives kafka-go's own word for a closed writer our name.
func translateClosed(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return ErrClosed
	}
	return err
}
