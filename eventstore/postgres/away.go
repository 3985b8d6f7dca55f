package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// Away reports whether an error of any statement on the ledger's Postgres means that the server could not be reached,
// went away in between, or had no room. Asking again later is safe for whatever may be repeated.
func Away(err error) bool {
	var pg *pgconn.PgError
	errors.As(err, &pg)
	return away(err, pg)
}
