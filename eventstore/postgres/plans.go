package postgres

import "github.com/jackc/pgx/v5/pgxpool"

// ByIndex has the connections of a pool read the ledger by its indexes, whatever the planner thinks. A statement is
// planned once for a connection: to read a table of a few pages from one end to the other is right for a moment, and
// done for each key of a ledger that has grown meanwhile it is slower by thousands of times, until statistics are next
// gathered.
func ByIndex(config *pgxpool.Config) { config.ConnConfig.RuntimeParams["enable_seqscan"] = "off" }
