// Package settle turns the results that workers publish into commands on the ledger: pictures into a completed
// generation, a final failure into a failed one, any other failure into the next attempt.
//
// # Guarantees
//
//   - A result is acknowledged only when the ledger has recorded it or has refused it for good.
//   - A result that comes twice, late or from an older attempt changes nothing: the attempt is the fence.
//   - What a worker says is not trusted: pictures must lie where this attempt was told to put them.
//   - A result that no attempt can have meant becomes a dead letter, and its job goes on when the lease runs out.
package settle
