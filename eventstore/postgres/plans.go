package postgres

import "github.com/jackc/pgx/v5/pgxpool"

// ByIndex has the connections of a pool read the ledger by its indexes, whatever the planner thinks, and plan each
// statement once. To read a table of a few pages from one end to the other is right for a moment only: done for each
// key of a ledger that has grown meanwhile, it is slower by thousands of times, until statistics are next gathered.
// Left to itself the server also plans some statements anew for each call, which takes it longer than to run them.
func ByIndex(config *pgxpool.Config) {
	config.ConnConfig.RuntimeParams["enable_seqscan"] = "off"
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
}
