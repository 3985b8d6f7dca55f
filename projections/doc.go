// Package projections keeps read models: views of the ledger that can be thrown away and built again.
//
// # Guarantees
//
//   - The rows of a view and its checkpoint change in one transaction, by compare-and-set on the checkpoint, so every
//     event is applied exactly once whatever crashes, is delivered twice or runs twice.
//   - Events of a shard are applied in their order. Shards go their own pace and share no database rows.
//   - New events come from a feed when there is one and from the ledger in any case: what a feed loses is found by
//     looking at the heads of the shards.
//   - The same events give the same rows. A digest of a shard's rows can therefore be compared with a replay.
//
// # Failures
//
// What another try may mend (the database, the network, a search engine) is tried again, at growing intervals, for
// ever. An event that cannot be applied stops its shard under Config.Strict: the failure is recorded at the checkpoint
// and observed, and the event is tried again, so a repaired program goes on by itself. Otherwise the event is parked as
// a dead letter and the shard goes on; Replay applies it after a repair.
//
// # Sinks
//
// A view with a sink belongs to one sink at a time, that of the process that was started last: it begins the view anew,
// and the runners of other processes stand still from then on, which is observed.
//
// # Copies
//
// A view has copies: builds of its versions, each in a Postgres schema of its own, e.g. balance_v2_b1. Its DDL and its
// statements name tables without a schema; the transaction's search path says which copy is meant. Every table has a
// column shard. Readers of a version see its live copy: see ReadAccount. A Rebuild makes another beside it and swaps
// them; the first copy of a version goes live when it has caught up. Keep and Sweep see to it that a version stays as
// long as a process uses it.
//
// # Who sees what
//
// Every table is under row-level security, forced. A table with a column account shows a reader the rows of the one
// account that the transaction names, and nothing without one. See the roles.
package projections
