// Package domain is the kernel that every aggregate of pingvas shares: credits, tiers, ids, errors, events, postings
// and the shape of a decider.
//
// Everything below domain/ is pure: no clock, no randomness, no context, no I/O and no JSON code. Time and ids are
// fields of the command. What a decider says therefore depends on nothing but the events before it, which is what
// makes the ledger replayable.
package domain
