// Package outbox publishes the ledger: it tails the committed events of every shard and writes them to the shard's
// partition of eventstore.Topic. There is no outbox table; the ledger is the outbox.
//
// # Guarantees
//
//   - The events of a shard are in its partition in their order and without gaps. An event may be there again: after a
//     crash, while two outboxes believe to lead, or because it was asked for. Consumers drop the positions that they
//     have seen.
//   - The checkpoint of a shard moves only after the broker has acknowledged, and by compare-and-set: a leader that
//     has lost its lock without noticing cannot move it against the one that has it.
//   - A shard that fails stops at the event that failed and is tried again, at growing intervals, for ever. The others
//     go on.
//   - Losing Kafka loses nothing: where the partition ends before the checkpoint, publishing starts there again.
//     Republish does the same at an operator's wish.
//
// # State model
//
// A shard is resumed (the checkpoint is read and compared with the end of the partition), then follows the head of the
// ledger until the first error, then is resumed again.
//
// # What it does not do
//
// It knows no event types and looks into no event. It does not publish while its process is not the leader of the
// shard's group.
package outbox
