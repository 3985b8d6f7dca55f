// Package workers holds what the long-running parts behind the ledger share: the router that hands messages to their
// handlers, the reading of compacted topics, and a pause that ends with its context. The workers themselves are the
// packages below it.
//
// # What the router does with an error
//
//   - Any error is tried again: a few times at once, then by redelivery for as long as it takes, since the cause is
//     usually that the ledger or the network is away. Messages of other partitions go on meanwhile.
//   - An error marked with Poison and a panic are moved to the topic that DeadLetterTopic names: trying again cannot
//     help. The partition goes on.
//
// # What it does not do
//
// It does not remember what was handled. Every handler must bear to see a message twice, and messages out of their
// turn: the ledger's fences (attempt, version, idempotency key) are what makes a repetition harmless.
package workers
