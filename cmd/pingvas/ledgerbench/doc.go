// Package ledgerbench measures the ledger against the way most teams would write it, in one run on one machine.
//
// The workload is what an AI image service does all day: reserve credits, then settle them in full (80 %), in part
// (10 %) or release them (10 %). Rounds of the targets alternate, so that what else the machine does falls on all of
// them; what counts is the ratio. All targets use the same Postgres with the same durability.
package ledgerbench
