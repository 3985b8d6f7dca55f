package pgtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// keeperFormat is the statement that ends an unused throwaway server. Its client is gone by then; PostgreSQL lets a
// statement without output run on. Taking the users' lock exclusively shows that no test is left, and keeping it
// refuses newcomers while the server ends. Other connections (someone's psql) keep the server, too.
//
// The verbs: lock class, users' lock, keeper's lock, idle limits in seconds for the kept and the usual case.
const keeperFormat = `
DO $keeper$
DECLARE
	class CONSTANT int := %[1]d;
	users CONSTANT int := %[2]d;
	used_at timestamptz := clock_timestamp();
	idle interval;
BEGIN
	IF NOT pg_try_advisory_lock(class, %[3]d) THEN
		RETURN;
	END IF;
	LOOP
		PERFORM pg_sleep(1);
		IF NOT pg_try_advisory_lock(class, users) THEN
			used_at := clock_timestamp();
		ELSE
			IF EXISTS (SELECT FROM pg_stat_activity
				WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) THEN
				used_at := clock_timestamp();
			END IF;
			SELECT make_interval(secs => CASE WHEN count(*) > 0 THEN %[4]f ELSE %[5]f END) INTO idle
				FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE 'kept %%';
			EXIT WHEN clock_timestamp() - used_at >= idle;
			PERFORM pg_advisory_unlock(class, users);
		END IF;
		COMMIT;
	END LOOP;
	EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %%L',
		'kill -INT ' || split_part(pg_read_file('postmaster.pid'), E'\n', 1));
END
$keeper$`

const sqlKeeperRuns = `SELECT EXISTS (SELECT FROM pg_locks
	WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND granted)`

// ensureKeeper starts the keeper unless there is one. The joined session keeps the server alive meanwhile.
func (s server) ensureKeeper(ctx context.Context, joined session) error {
	if runs, err := keeperRuns(ctx, joined); err != nil || runs {
		return err
	}
	conn, err := pgconn.Connect(ctx, joined.url)
	if err != nil {
		return fmt.Errorf("connect the keeper of the test server: %w", err)
	}
	statement := fmt.Sprintf(keeperFormat, lockClass, lockUsers, lockKeeper, s.keptIdle.Seconds(), s.idle.Seconds())
	conn.Frontend().SendQuery(&pgproto3.Query{String: statement})
	if err := conn.Frontend().Flush(); err != nil {
		return errors.Join(fmt.Errorf("start the keeper of the test server: %w", err), conn.Close(ctx))
	}
	// Taken from the driver, because its Close would cancel the statement.
	raw, err := conn.Hijack()
	if err != nil {
		return fmt.Errorf("detach the keeper of the test server: %w", err)
	}
	defer func() { _ = raw.Conn.Close() }()
	for {
		if runs, err := keeperRuns(ctx, joined); err != nil || runs {
			return err
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("wait for the keeper of the test server: %w", err)
		}
	}
}

func keeperRuns(ctx context.Context, joined session) (bool, error) {
	var runs bool
	if err := joined.conn.QueryRow(ctx, sqlKeeperRuns, lockClass, lockKeeper).Scan(&runs); err != nil {
		return false, fmt.Errorf("look for the keeper of the test server: %w", err)
	}
	return runs, nil
}
