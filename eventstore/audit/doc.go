// Package audit replays the ledger and says what is wrong with it, naming the position.
//
// For every shard it checks that positions and stream versions are complete, that each leaf and chain hash is what
// the recorded bytes give, that the head of the shard is where the events end, and that every event is known and
// decodes. Then it folds: each event's postings sum to zero, no account breaks an invariant after any of its events,
// each reservation is made once and ended at most once, no generation is charged twice or above what was reserved, and
// the trial balance over all books is zero.
//
// It reads the record alone. That read models equal a replay is for projections to say.
package audit
