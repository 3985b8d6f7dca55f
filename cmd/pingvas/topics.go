package main

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/adapters/kfake"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/cleanup"
	"github.com/pingvas/pingvas/workers/settle"
)

// How long topics keep their records. The ledger in Postgres is the record: Kafka only has to outlive its readers.
const (
	eventsRetention   = 7 * 24 * time.Hour
	resultsRetention  = 7 * 24 * time.Hour
	progressRetention = time.Hour
)

// How topics are divided.
const (
	resultsPartitions  = 8
	progressPartitions = 4
)

// newestKept is how many records of each partition the embedded broker keeps for those who read without a group: of the
// ledger's topic in 16 partitions what half a minute at 1,000 commands/s makes. Views that are further behind read the
// ledger.
const newestKept = 2048

// trimmed are the topics of which the embedded broker keeps what somebody may still need instead of all of a time. The
// ledger is the record, and nobody but the readers named here reads them from their start.
func trimmed() []kfake.Trimmed {
	return []kfake.Trimmed{
		{Topic: eventstore.Topic, Newest: newestKept, Groups: []string{cleanup.ObjectsGroup}},
		{Topic: generation.TopicResults, Newest: newestKept, Groups: []string{settle.Group}},
		{Topic: generation.TopicProgress, Newest: newestKept},
	}
}

// pools are the pools of workers.
func pools() []string { return []string{pricing.PoolGPU} }

// topicsEvery is how often the outbox looks whether topics have vanished.
const topicsEvery = 5 * time.Second

// ensureTopics creates the topics that are missing. Every role does so when it starts, so that it does not matter which
// of them finds an empty cluster. Who does not know the ledger leaves its topic to those who do.
func (p *parts) ensureTopics(ctx context.Context, replicas int) error {
	shards := 0
	if p.store != nil {
		shards = p.store.Shards()
	}
	return kafka.NewAdmin(p.kafka).EnsureTopics(ctx, topics(shards, replicas))
}

// topicsRole creates topics that vanish while everything runs.
func (p *parts) topicsRole(replicas int) role {
	return role{"topics", func(ctx context.Context) error {
		tick := time.NewTicker(topicsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := p.ensureTopics(ctx, replicas); err != nil && ctx.Err() == nil {
				p.log.ErrorContext(ctx, "the topics are not as they must be", "error", err)
			}
		}
	}}
}

// topics returns every topic of a ledger with this many shards; 0 leaves out the topic of the ledger.
func topics(shards, replicas int) []kafka.TopicSpec {
	var specs []kafka.TopicSpec
	if shards > 0 {
		specs = append(specs, kafka.TopicSpec{Name: eventstore.Topic, Partitions: shards, Retention: eventsRetention})
	}
	specs = append(specs, []kafka.TopicSpec{
		{Name: kafka.DeadLetterTopic(eventstore.Topic), Partitions: 1, Retention: kafka.KeepForever},
		{Name: generation.TopicResults, Partitions: resultsPartitions, Retention: resultsRetention},
		{Name: kafka.DeadLetterTopic(generation.TopicResults), Partitions: 1, Retention: kafka.KeepForever},
		{Name: generation.TopicProgress, Partitions: progressPartitions, Retention: progressRetention},
	}...)
	for _, pool := range pools() {
		for _, tier := range domain.Tiers() {
			specs = append(specs, kafka.TopicSpec{Name: generation.OfferTopic(pool, tier), Partitions: 1, Compacted: true})
		}
	}
	for i := range specs {
		specs[i].Replicas = replicas
	}
	return specs
}
