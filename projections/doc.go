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
// a dead letter and the shard goes on.
//
// # Sinks
//
// A view with a sink belongs to one sink at a time, that of the process that was started last: it begins the view anew,
// and the runners of other processes stand still from then on, which is observed.
//
// # Where the rows are
//
// A view has a Postgres schema of its own, named after it and its version, e.g. balance_v1. Its DDL and its statements
// name tables without a schema; the transaction's search path says which copy is meant. Every table has a column shard.
package projections
