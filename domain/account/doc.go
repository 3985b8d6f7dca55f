// Package account is the credit ledger of one account: a pure decider.
//
// # What a customer may rely on
//
//   - Credits come in grants and are drawn in one total order: priority, then expiry with never last, then the order
//     in which they were granted. A grant may be scoped to models and operations.
//   - A reservation records the slices it took from each grant. Settling charges them in that order; whatever is not
//     charged goes back to the same grants.
//   - A grant that expires while part of it is reserved stays good for that part. What comes back after its expiry
//     expires at once, as an event of its own.
//   - What may be spent depends on time, not on a sweeper: before every decision the events that time has made due
//     (reservations and grants that ran out) are decided first. A sweeper sends ExpireDue to make them visible sooner;
//     it never changes an answer.
//   - A reservation ends exactly once: settled, released or expired. A result that comes after the expiry is charged
//     from what is still available and the rest is waived; from lateWindow after the expiry on it is refused.
//   - Every event moves credits between books by postings that sum to zero.
//
// # State
//
// The state holds what is alive: grants with something left, open reservations, and for lateWindow the reservations
// that expired. Its size does not grow with the account's history, except for the ids of its grants.
package account
