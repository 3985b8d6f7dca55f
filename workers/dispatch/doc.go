// Package dispatch is the process manager that shows the open jobs of the ledger to the workers: as offers in compacted
// topics, one for each pool and tier, keyed by generation. A tombstone says that a job is no longer open.
//
// # State model
//
//	requested ──▶ open: offer ──claimed──▶ running: tombstone ──ended──▶ forgotten: tombstone
//	                ▲                        │
//	                └──requeued: new offer───┘
//
// The jobs that have not ended are held in memory, because only their first event says where they belong. At the start
// they come from a view; from then on from the ledger, shard by shard and in order.
//
// # Guarantees
//
//   - When the ledger is at rest the topics hold exactly the open jobs, however the dispatcher was stopped and started.
//   - Losing the topics loses nothing: they are brought in line with the open jobs at every start, and from time to
//     time. That mends also what a dispatcher says that was frozen and wakes up after others have gone on.
//
// # What it does not do
//
// It decides nothing. An offer that is not true any more costs a refused claim; one that is late costs time. So several
// dispatchers may run at once: they say the same things twice.
package dispatch
