// Package kafka is the Watermill publisher and subscriber of pingvas on segmentio/kafka-go, with the few things
// around them that a ledger needs: an ordered, idempotent batch publisher, a batch reader and topic administration.
//
// # Parts
//
//   - Cluster: addresses, TLS, SASL and the connection pool that all the others share.
//   - Publisher: message.Publisher; all replicas acknowledge, one request per call, key and partition from metadata.
//   - OrderedPublisher: records into one partition, in order, without duplicates by its own retries.
//   - Subscriber: message.Subscriber; as a member of a consumer group, or in broadcast mode without one.
//   - PartitionReader: every partition of a topic from given offsets, in batches.
//   - Admin: topics, the lag of groups, the ends of partitions, dead letters.
//
// # Guarantees
//
//   - At least once. Within a partition one message at a time: the next one is delivered after the ack of this one.
//   - A group member commits only what it acknowledged, and only through the generation that assigned the partition.
//     A late ack of a member that lost the partition moves nothing, so a committed offset never goes back.
//   - When a generation ends, message contexts are cancelled, running handlers get a short time to ack, and what they
//     acked is committed before the partition goes to another member.
//   - A message that keeps failing is retried in place a bounded number of times with growing pauses, then moved to
//     the dead-letter topic; without one it is retried for ever, because dropping it would lose it.
//   - A member that was paused for longer than its session moves no offset when it comes back with a message in hand.
//   - Offsets that the broker no longer has are never skipped in silence: Subscriber logs an error, calls
//     OnOffsetLost and goes on at the start of the log; PartitionReader returns an OffsetLostError. The same goes for a
//     topic that was deleted and created: after any trouble a reader looks whether the last record that it has read
//     is still there, see recognise.go. A broker that lets waiting fetches go on on the new topic, as the embedded one
//     does, hides it if that happens within half a second.
//
// # Messages
//
// Metadata travels as Kafka headers, the Watermill UUID as ce_id (CloudEvents). Metadata with the prefix kafka_ is
// about the transport and never becomes a header. An empty payload with a key is a tombstone and is written as null;
// the kafka-go reader cannot tell null from empty, so the two mean the same here.
//
// # What it does not do
//
// It creates no topic by accident (only EnsureTopics does), takes no part in transactions, and does not follow a
// change of the number of partitions of a topic: that number is fixed when the topic is created.
package kafka
