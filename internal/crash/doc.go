// Package crash is the fault test of the whole product: real processes of every role on a real Postgres, the real Kafka
// protocol and S3, under load, while processes are killed and paused at random.
//
//	go test ./internal/crash -v -kills 300 -seed 7    (make crash)
//
// # What happens
//
// The test builds the binary and runs two APIs, outboxes, settlers and GPU workers, and one of every other role, each
// started again whenever it ends. Customers open accounts, get credits, request and cancel generations and mark images,
// every command under an idempotency key and again until it is answered, often through the other API. Meanwhile faults
// from one seeded deck hit them: SIGKILL of a role, of Postgres with all its backends, of one backend, of Kafka and S3,
// of everything at once; SIGSTOP for longer than a lease, with a replacement that is started in the meantime, after
// which the old process comes back as if nothing had happened.
//
// # What must hold at the end
//
//   - Every command was answered, and asking again with its key gives the same answer through either API.
//   - Each acknowledged position is in the ledger and is what was acknowledged; the ledger holds no grant and no
//     generation that no customer knows of: nothing happened twice.
//   - Every job has ended; each is charged at most once, what the settlement policy says and at most its quote.
//   - What each customer was granted less what was charged and what expired is the balance.
//   - Positions, versions, hashes, invariants, reservations and the trial balance verify (pingvas audit verify).
//   - Every view has come to the end of the ledger and has the digest of its replay.
//   - Kafka holds every event of every shard in order, without a gap, and no dead letter.
//   - Every picture is in the store with the hash that the ledger has, and those of deleted images are gone.
//   - After the faults all processes end in order when they are asked to.
//
// The seed fixes the load and the faults, not how the operating system interleaves them: a failure is told by the logs
// of all processes, which are kept, rather than by running the seed again.
//
// All code is in test files.
package crash
