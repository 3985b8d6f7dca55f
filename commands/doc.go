// Package commands holds the use cases that change the ledger, one file each. It is the only package that appends.
//
// Every use case goes the same way (run): load the streams it decides on, fold them, decide with the pure deciders of
// domain, append all events in one unit together with the outcome under the caller's idempotency key. If another
// writer was faster, the newer events are loaded and everything is decided again, a bounded number of times.
package commands
