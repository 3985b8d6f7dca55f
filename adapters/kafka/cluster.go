package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

const (
	dialTimeout    = 10 * time.Second
	requestTimeout = 10 * time.Second
	// metadataTTL bounds how long a moved leader or a topic created by another process stays unseen.
	metadataTTL = 3 * time.Second
	// topicWait covers one refresh of the cached metadata, so that a topic created just now is found.
	topicWait     = metadataTTL + time.Second
	topicWaitStep = 100 * time.Millisecond
)

// Config says how to reach a Kafka cluster.
type Config struct {
	// Brokers are bootstrap addresses, host:port. At least one.
	Brokers []string
	// ClientID names this process in the broker's logs and quotas. Required.
	ClientID string
	// TLS is nil for plain text.
	TLS *tls.Config
	// SASL is nil for no authentication.
	SASL sasl.Mechanism
	// Logger receives connection trouble, retries, dead letters and lost offsets. Required.
	Logger *slog.Logger
}

// Validate reports every invalid field at once.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("at least one broker is required"))
	}
	for i, broker := range c.Brokers {
		if broker == "" {
			errs = append(errs, fmt.Errorf("broker %d is empty", i))
		}
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("client id is required"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("logger is required"))
	}
	return errors.Join(errs...)
}

// Cluster is the shared way to one Kafka cluster. It is safe for concurrent use.
type Cluster struct {
	brokers   []string
	dialer    *kafkago.Dialer
	transport *kafkago.Transport
	client    *kafkago.Client
	log       *slog.Logger
}

// New checks the configuration. It does not connect: that happens on first use, see Admin.Ping.
func New(cfg Config) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("kafka config: %w", err)
	}
	transport := &kafkago.Transport{
		DialTimeout: dialTimeout,
		MetadataTTL: metadataTTL,
		ClientID:    cfg.ClientID,
		TLS:         cfg.TLS,
		SASL:        cfg.SASL,
	}
	return &Cluster{
		brokers: cfg.Brokers,
		dialer: &kafkago.Dialer{
			ClientID:      cfg.ClientID,
			Timeout:       dialTimeout,
			DualStack:     true,
			TLS:           cfg.TLS,
			SASLMechanism: cfg.SASL,
		},
		transport: transport,
		client:    &kafkago.Client{Addr: kafkago.TCP(cfg.Brokers...), Timeout: requestTimeout, Transport: transport},
		log:       cfg.Logger.With("component", "kafka"),
	}, nil
}

// Close drops the pooled connections. Close publishers and subscribers first.
func (c *Cluster) Close() {
	c.transport.CloseIdleConnections()
}

// partitions returns the partitions of a topic. An unknown topic is looked for until topicWait is over, because the
// metadata are a cache; the lookup never creates it.
func (c *Cluster) partitions(ctx context.Context, topic string) ([]kafkago.Partition, error) {
	return c.await(ctx, topic, topicWait)
}

// await looks for a topic for this long.
func (c *Cluster) await(ctx context.Context, topic string, wait time.Duration) ([]kafkago.Partition, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		parts, err := c.lookup(ctx, topic)
		if err == nil || !errors.Is(err, kafkago.UnknownTopicOrPartition) || !pause(ctx, topicWaitStep) {
			return parts, err
		}
	}
}

func (c *Cluster) lookup(ctx context.Context, topic string) ([]kafkago.Partition, error) {
	res, err := c.client.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	for _, t := range res.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return nil, fmt.Errorf("look up topic %s: %w", topic, t.Error)
		}
		return t.Partitions, nil
	}
	return nil, fmt.Errorf("look up topic %s: %w", topic, kafkago.UnknownTopicOrPartition)
}

// dialPartition opens a connection to the leader of a partition. kafka-go's own DialLeader is not used: its lookup
// permits the broker to create the topic, and costs a second connection.
func (c *Cluster) dialPartition(ctx context.Context, topic string, partition int) (*kafkago.Conn, error) {
	parts, err := c.lookup(ctx, topic)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.ID != partition {
			continue
		}
		if p.Leader.Host == "" {
			return nil, fmt.Errorf("dial %s/%d: %w", topic, partition, kafkago.LeaderNotAvailable)
		}
		conn, err := c.dialer.DialPartition(ctx, "tcp", "", p)
		if err != nil {
			return nil, fmt.Errorf("dial the leader of %s/%d: %w", topic, partition, err)
		}
		return conn, nil
	}
	return nil, fmt.Errorf("dial %s/%d: %w", topic, partition, kafkago.UnknownTopicOrPartition)
}

// bounds are the first offset a partition still has and the offset its next record will get.
type bounds struct{ start, end int64 }

// contains tells whether a reader may stand at the offset; the end is a valid place to wait.
func (b bounds) contains(offset int64) bool { return offset >= b.start && offset <= b.end }

// resolve turns FirstOffset and LastOffset into absolute offsets and leaves others as they are.
func (b bounds) resolve(offset int64) int64 {
	switch offset {
	case FirstOffset:
		return b.start
	case LastOffset:
		return b.end
	default:
		return offset
	}
}

// offsets returns the bounds of the given partitions.
func (c *Cluster) offsets(ctx context.Context, topic string, partitions []int) (map[int]bounds, error) {
	var asked []kafkago.OffsetRequest
	for _, p := range partitions {
		asked = append(asked, kafkago.FirstOffsetOf(p), kafkago.LastOffsetOf(p))
	}
	res, err := c.client.ListOffsets(ctx, &kafkago.ListOffsetsRequest{
		Topics: map[string][]kafkago.OffsetRequest{topic: asked},
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	found := make(map[int]bounds, len(partitions))
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("list offsets of %s/%d: %w", topic, p.Partition, p.Error)
		}
		found[p.Partition] = bounds{start: p.FirstOffset, end: p.LastOffset}
	}
	if len(found) != len(partitions) {
		return nil, fmt.Errorf("list offsets of %s: %d of %d partitions answered", topic, len(found), len(partitions))
	}
	return found, nil
}

// allOffsets returns the bounds of every partition of the topic.
func (c *Cluster) allOffsets(ctx context.Context, topic string) (map[int]bounds, error) {
	parts, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ids := make([]int, len(parts))
	for i, p := range parts {
		ids[i] = p.ID
	}
	var found map[int]bounds
	err = patiently(ctx, func(ctx context.Context) (err error) {
		found, err = c.offsets(ctx, topic, ids)
		return err
	})
	return found, err
}

// patiently asks again while the broker says that it may help, until topicWait is over: the leaders of new partitions
// and the coordinators of new groups take a moment.
func patiently(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, topicWait)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil || !temporary(err) || !pause(ctx, topicWaitStep) {
			return err
		}
	}
}

// temporary tells whether the broker says that asking again may help.
func temporary(err error) bool {
	code, ok := errors.AsType[kafkago.Error](err)
	return ok && code.Temporary()
}
