// Package commands holds the use cases that change the ledger, one file each. It is the only package that appends.
//
// Every use case goes the same way (run): fold the streams it decides on, decide with the pure deciders of domain, and
// append all events in one unit together with the outcome under the caller's idempotency key. If another process was
// faster, the newer events are loaded and everything is decided again, a bounded number of times.
//
// Commands of one shard that arrive while others commit are decided one after another on the states that those before
// them left, and are appended in one call (shard, batch). Two commands on one account see each other, so a busy
// account costs no more than a spread load. The folded streams are kept, and every answer is checked against the
// versions that the store has, also a refusal: what is kept saves reading, never trust.
package commands
