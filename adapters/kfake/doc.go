// Package kfake runs an embedded Kafka broker inside the process: franz-go's kfake, on 127.0.0.1, with an optional
// data folder that outlives the process.
//
// It serves the single-process development mode and tests. It speaks the real protocol, so everything above it uses
// the same code as against a cluster. It is development only: one broker, no replication, no access control, and,
// unless SyncWrites is set, a power loss can take the newest records (a crash of the process cannot).
//
// It keeps an index of every batch in memory, for as long as it keeps the batch. Time and size retention run only on
// topics that set retention explicitly, and once an hour. A topic that is busy for days is better trimmed: see Trimmed.
package kfake
