// Package generate is the worker that turns jobs into pictures. It holds no credentials of the ledger: it sees open
// jobs as offers on Kafka, claims them through an internal service, uploads by presigned URLs, and says how they ended
// on the topic of results.
//
// # One job
//
//	offers ──Order──▶ Claim ──▶ Engine.Generate ──▶ annotate, thumbnail ──▶ upload ──▶ Result
//	                    │ lease extended, progress published, until the end
//	                    └──▶ told to stop: the engine is stopped, nothing is said
//
// # Guarantees
//
//   - A worker works only under a lease. It stops the engine when the lease was lost: the customer cancelled, another
//     attempt has begun, or the lease ran out while the service could not be reached.
//   - Every job that was claimed ends in a result, in being handed back, or in its lease running out. So a worker may
//     be killed at any moment; that costs time, never a job or a credit.
//   - A result is repeated until the broker has acknowledged it. It may arrive twice; its attempt is the fence.
//   - A full list of open jobs is held by every worker, so nothing waits behind a slow one. Order says who is next.
//
// # Shutting down
//
// When its context ends (SIGTERM) or Config.Draining closes (a spot interruption), the worker claims nothing more.
// Jobs that will be done within the grace are finished; the others are stopped and handed back at once.
package generate
