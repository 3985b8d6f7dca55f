package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

const (
	// brokerDefault lets the broker choose; needs Kafka 2.4 or later.
	brokerDefault = -1

	// KeepForever as Retention keeps records until they are deleted or compacted.
	KeepForever time.Duration = -1
)

// TopicSpec says what a topic must look like.
type TopicSpec struct {
	// Name of the topic. Required.
	Name string
	// Partitions is their exact number, at least 1; it is never changed afterwards.
	Partitions int
	// Replicas of each partition; 0 is the default of the broker.
	Replicas int
	// Compacted keeps the newest record of each key instead of all records of a time.
	Compacted bool
	// Retention is how long records are kept, whole milliseconds; 0 is the default of the broker.
	Retention time.Duration
	// Settings are further topic settings in Kafka's own names, such as max.message.bytes.
	Settings map[string]string
}

// Validate reports every invalid field at once.
func (s TopicSpec) Validate() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("topic name is required"))
	}
	if s.Partitions < 1 {
		errs = append(errs, fmt.Errorf("topic %s: %d partitions", s.Name, s.Partitions))
	}
	if s.Replicas < 0 {
		errs = append(errs, fmt.Errorf("topic %s: %d replicas", s.Name, s.Replicas))
	}
	if s.Retention < time.Millisecond && s.Retention != 0 && s.Retention != KeepForever {
		errs = append(errs, fmt.Errorf("topic %s: retention %s", s.Name, s.Retention))
	}
	return errors.Join(errs...)
}

func (s TopicSpec) config() kafkago.TopicConfig {
	settings := maps.Clone(s.Settings)
	if settings == nil {
		settings = make(map[string]string)
	}
	if s.Compacted {
		settings["cleanup.policy"] = "compact"
	}
	switch {
	case s.Retention == KeepForever:
		settings["retention.ms"] = "-1"
	case s.Retention > 0:
		settings["retention.ms"] = strconv.FormatInt(s.Retention.Milliseconds(), 10)
	}
	out := kafkago.TopicConfig{Topic: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.Replicas}
	if s.Replicas == 0 {
		out.ReplicationFactor = brokerDefault
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		out.ConfigEntries = append(out.ConfigEntries,
			kafkago.ConfigEntry{ConfigName: name, ConfigValue: settings[name]})
	}
	return out
}

// Admin creates topics and looks at the state of the cluster.
type Admin struct{ cluster *Cluster }

// NewAdmin makes an admin on a shared cluster.
func NewAdmin(cluster *Cluster) *Admin { return &Admin{cluster: cluster} }

// Ping asks a broker for an answer: nil means that the cluster is reachable and lets us in.
func (a *Admin) Ping(ctx context.Context) error {
	res, err := a.cluster.client.ApiVersions(ctx, &kafkago.ApiVersionsRequest{})
	if err == nil {
		err = res.Error
	}
	if err == nil {
		// Versions are told to everybody; this only to those who are let in. It may come from a cache.
		_, err = a.cluster.client.Metadata(ctx, &kafkago.MetadataRequest{})
	}
	if err != nil {
		return fmt.Errorf("ping kafka: %w", err)
	}
	return nil
}

// EnsureTopics creates the topics that are missing and checks the number of partitions of the others. It may be
// called by many processes at once. It changes no existing topic: a wrong number of partitions is an error that names
// both numbers, other settings are left as they are.
func (a *Admin) EnsureTopics(ctx context.Context, specs []TopicSpec) error {
	var errs []error
	for _, spec := range specs {
		errs = append(errs, spec.Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ensure topics: %w", err)
	}
	existing, err := a.partitionCounts(ctx)
	if err != nil {
		return fmt.Errorf("ensure topics: %w", err)
	}
	created, err := a.create(ctx, specs, existing)
	if err != nil {
		return fmt.Errorf("ensure topics: %w", err)
	}
	if !created {
		return checkCounts(specs, existing)
	}
	for _, spec := range specs {
		// Wait until this process's metadata know the new topics and their leaders serve them, so that they can be
		// used at once.
		if _, err := a.cluster.allOffsets(ctx, spec.Name); err != nil {
			return fmt.Errorf("ensure topics: %w", err)
		}
	}
	if existing, err = a.partitionCounts(ctx); err != nil {
		return fmt.Errorf("ensure topics: %w", err)
	}
	return checkCounts(specs, existing)
}

// create asks for the topics that do not exist and tells whether there were any.
func (a *Admin) create(ctx context.Context, specs []TopicSpec, existing map[string]int) (bool, error) {
	var missing []kafkago.TopicConfig
	for _, spec := range specs {
		if _, ok := existing[spec.Name]; !ok {
			missing = append(missing, spec.config())
		}
	}
	if len(missing) == 0 {
		return false, nil
	}
	res, err := a.cluster.client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: missing})
	if err != nil {
		return false, fmt.Errorf("create %d topics: %w", len(missing), err)
	}
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(res.Errors)) {
		// Another process may have been faster.
		if err := res.Errors[topic]; err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
			errs = append(errs, fmt.Errorf("create topic %s: %w", topic, err))
		}
	}
	return true, errors.Join(errs...)
}

// DeleteTopics deletes topics with all that is in them. Deleting a topic that does not exist changes nothing.
func (a *Admin) DeleteTopics(ctx context.Context, names ...string) error {
	res, err := a.cluster.client.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: names})
	if err != nil {
		return fmt.Errorf("delete %d topics: %w", len(names), err)
	}
	var errs []error
	for _, topic := range slices.Sorted(maps.Keys(res.Errors)) {
		if err := res.Errors[topic]; err != nil && !errors.Is(err, kafkago.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("delete topic %s: %w", topic, err))
		}
	}
	return errors.Join(errs...)
}

func checkCounts(specs []TopicSpec, existing map[string]int) error {
	var errs []error
	for _, spec := range specs {
		if has := existing[spec.Name]; has != spec.Partitions {
			errs = append(errs, fmt.Errorf("topic %s has %d partitions, %d are required", spec.Name, has, spec.Partitions))
		}
	}
	return errors.Join(errs...)
}

// partitionCounts asks a broker directly, because the pooled client answers from its cache. It asks for all topics,
// because asking for one by name permits the broker to create it.
func (a *Admin) partitionCounts(ctx context.Context) (map[string]int, error) {
	var errs []error
	for _, broker := range a.cluster.brokers {
		counts, err := a.countAt(ctx, broker)
		if err == nil {
			return counts, nil
		}
		errs = append(errs, fmt.Errorf("list topics at %s: %w", broker, err))
	}
	return nil, errors.Join(errs...)
}

func (a *Admin) countAt(ctx context.Context, broker string) (map[string]int, error) {
	conn, err := a.cluster.dialer.DialContext(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, err
	}
	parts, err := conn.ReadPartitions()
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int)
	for _, p := range parts {
		counts[p.Topic]++
	}
	return counts, nil
}

// PartitionLag is how far a consumer group is behind in one partition.
type PartitionLag struct {
	Partition int
	// Committed is the offset the group will read next; -1 when it has committed none.
	Committed int64
	// Start and End are the first offset of the log and the one after its last record.
	Start, End int64
	// Lag is the number of offsets between; without a commit it counts from Start.
	Lag int64
}

// Lag returns the lag of a group in every partition of a topic, ordered by partition.
func (a *Admin) Lag(ctx context.Context, group, topic string) ([]PartitionLag, error) {
	found, err := a.cluster.allOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("lag of %s: %w", group, err)
	}
	var committed map[int]int64
	err = patiently(ctx, func(ctx context.Context) (err error) {
		committed, err = a.committed(ctx, group, topic, slices.Sorted(maps.Keys(found)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lag of %s: %w", group, err)
	}
	lags := make([]PartitionLag, 0, len(found))
	for _, partition := range slices.Sorted(maps.Keys(found)) {
		has := found[partition]
		lag := PartitionLag{Partition: partition, Committed: -1, Start: has.start, End: has.end}
		if offset, ok := committed[partition]; ok && offset >= 0 {
			lag.Committed = offset
		}
		lag.Lag = max(has.end-max(lag.Committed, has.start), 0)
		lags = append(lags, lag)
	}
	return lags, nil
}

func (a *Admin) committed(ctx context.Context, group, topic string, partitions []int) (map[int]int64, error) {
	res, err := a.cluster.client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: partitions},
	})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafkago.GroupIdNotFound) {
		return nil, nil // Most brokers answer this case with offset -1.
	}
	if err != nil {
		return nil, fmt.Errorf("fetch committed offsets: %w", err)
	}
	offsets := make(map[int]int64, len(partitions))
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("fetch committed offset of %s/%d: %w", topic, p.Partition, p.Error)
		}
		offsets[p.Partition] = p.CommittedOffset
	}
	return offsets, nil
}
