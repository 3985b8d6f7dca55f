// Package queries answers questions from the read models: one file for each.
//
// # What every answer keeps
//
//   - It holds nothing of another account: every statement names the account. What belongs to another does not exist.
//   - It is one snapshot of the views it is made of, and says which position it knows of.
//   - It waits, for a bounded time, until it knows of Read.Min; then it answers what there is and says so.
//   - A single thing that is not there is only missing after the views had the time to come to the end of the record.
//
// Nothing decides from these answers: that is done by folding the account's own events.
package queries
