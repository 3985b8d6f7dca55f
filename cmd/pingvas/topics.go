package main

import (
	"time"

	"github.com/pingvas/pingvas/adapters/kafka"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
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

// pools are the pools of workers.
func pools() []string { return []string{pricing.PoolGPU} }

// topics returns every topic of a ledger with this many shards.
func topics(shards, replicas int) []kafka.TopicSpec {
	specs := []kafka.TopicSpec{
		{Name: eventstore.Topic, Partitions: shards, Retention: eventsRetention},
		{Name: kafka.DeadLetterTopic(eventstore.Topic), Partitions: 1, Retention: kafka.KeepForever},
		{Name: generation.TopicResults, Partitions: resultsPartitions, Retention: resultsRetention},
		{Name: kafka.DeadLetterTopic(generation.TopicResults), Partitions: 1, Retention: kafka.KeepForever},
		{Name: generation.TopicProgress, Partitions: progressPartitions, Retention: progressRetention},
	}
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
