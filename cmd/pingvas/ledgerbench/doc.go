// Package ledgerbench measures the ledger against the way most teams would write it, in one run on one machine.
//
// The workload is what an AI image service does all day: reserve credits, then settle them in full (80 %), in part
// (10 %) or release them (10 %). Each of these is a command; a reservation and its end are a pair. Rounds of the
// targets alternate, so that what else the machine does falls on all of them; what counts is the ratio within a
// round. All targets use the same Postgres with the same durability. The processor time of a command is the steadier
// figure where the machine is shared; see Meter.
//
// A Target is a ledger under test: Naive, Ours, or either of them behind HTTP (REST). An Author writes histories that
// the ledger would have written, fast, for what is measured without decisions: raw appends, replay, cold starts.
package ledgerbench
