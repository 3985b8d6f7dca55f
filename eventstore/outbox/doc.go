// Package outbox publishes the ledger: it tails the committed events of every shard and writes them to the shard's
// partition of eventstore.Topic. There is no outbox table; the ledger is the outbox.
//
// # Guarantees
//
//   - The events of a shard are in its partition in their order and without gaps. An event may be there again: after a
//     crash, while two outboxes believe to lead, or because it was asked for. Consumers drop the positions that they
//     have seen.
//   - The checkpoint of a shard moves only after the broker has acknowledged, and by compare-and-set: a leader that
//     has lost its lease without noticing cannot move it against the one that has it.
//   - A shard that fails stops at the event that failed and is tried again, at growing intervals, for ever. The others
//     go on.
//   - Losing Kafka loses nothing. A partition that ends before the checkpoint is published from there again. One that
//     was deleted and created is published from the first event, whether the outbox was running (the offsets that the
//     broker tells are too small for the positions) or not; what was written before that was noticed stands before it.
//   - Republisher publishes any range again at an operator's wish, beside the outbox.
//   - A leader that is killed or paused has a successor in less than two seconds (see lease.go). Duplicates come from
//     hand-overs only: the publisher's own retries are recognised by the broker.
//
// # State model
//
// A shard is resumed (the checkpoint is read and compared with the end of the partition), then follows the head of the
// ledger until the first error, then is resumed again. Every recheckEvery both are looked at anew.
//
// # What it does not do
//
// It knows no event types and looks into no event. It does not publish while its process is not the leader of the
// shard's group.
package outbox
