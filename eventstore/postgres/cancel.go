package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cancelWait is how long the server may take to end a cancelled statement before the connection is given up.
const cancelWait = 5 * time.Second

// WaitForCancelled has the pool wait for statements that are cancelled, so that an append which was given up cannot
// commit behind our back. The connection is not used again: the server may act on the request only when the next
// statement is there, and end that one.
func WaitForCancelled(config *pgxpool.Config) {
	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		inner := &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelWait}
		return cancelWatch{inner, c}
	}
	config.AfterRelease = func(c *pgx.Conn) bool { return c.PgConn().CustomData()[cancelled] == nil }
}

// cancelled marks a connection in its custom data.
const cancelled = "pingvas cancelled a statement"

type cancelWatch struct {
	ctxwatch.Handler
	conn *pgconn.PgConn
}

// HandleUnwatchAfterCancel implements ctxwatch.Handler.
func (w cancelWatch) HandleUnwatchAfterCancel() {
	w.Handler.HandleUnwatchAfterCancel()
	w.conn.CustomData()[cancelled] = true
}
