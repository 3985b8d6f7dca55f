// Package eventstore is the port to the record: an append-only log of events, divided into shards.
//
// # Guarantees
//
//   - Every shard has its own positions 1, 2, 3, … without gaps. Whoever sees position n+1 sees n, so a reader that
//     asks for what comes after its checkpoint misses nothing, and max(pos) = count(*) proves completeness.
//   - A stream lies in one shard, that of its account, and has its own versions 1, 2, 3, ….
//   - An append is atomic per Unit, which holds everything that one account does at once, over several streams.
//   - The outcome of a command is recorded together with its events, under its idempotency key, for ever.
//   - Each event is chained to the one before it by SHA-256; see LeafHash and ChainHash.
//   - What was written is never changed or deleted; the database refuses it.
//
// # What it does not do
//
// The store knows no event types: the Codec turns events into bytes and back. It decides nothing: commands does.
package eventstore
