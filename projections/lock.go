package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// unlockTimeout bounds the release of a lock; after it the connection is closed, which releases it too.
const unlockTimeout = 2 * time.Second

const (
	sqlTryLock = `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`
	sqlUnlock  = `SELECT pg_advisory_unlock(hashtextextended($1, 0))`
)

// tryLock takes a lock that lasts as long as this process and its connection, or returns nil if somebody has it.
func tryLock(ctx context.Context, pool *pgxpool.Pool, name string) (unlock func(), err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	var free bool
	if err := conn.QueryRow(ctx, sqlTryLock, name).Scan(&free); err != nil || !free {
		conn.Release()
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		if _, err := conn.Exec(ctx, sqlUnlock, name); err != nil {
			// The lock goes with the connection.
			_ = conn.Conn().Close(ctx)
		}
		conn.Release()
	}, nil
}
