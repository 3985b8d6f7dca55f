package pgtest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// sqlDead finds the databases whose tests are gone (nobody holds the lock named by the database) and which are not
// kept, or kept long enough.
const sqlDead = `SELECT datname FROM pg_database d
	WHERE datname ~ '^pgt_[0-9a-f]{8}$'
	AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = $1
		AND l.objid::bigint = ('x' || substr(d.datname, 5))::bit(32)::bigint)
	AND coalesce(split_part(shobj_description(d.oid, 'pg_database'), ' ', 2)::bigint, 0) <= $2`

// sqlOldTemplates finds the templates made long ago; half-made ones are left to their builders.
const sqlOldTemplates = `SELECT datname FROM pg_database d
	WHERE datname ~ '^pgtpl_[0-9a-f]{16}$'
	AND split_part(shobj_description(d.oid, 'pg_database'), ' ', 2)::bigint <= $1`

// sweep drops what dead runs and old migrations have left. One session sweeps at a time.
func (s session) sweep(ctx context.Context, kept time.Duration) error {
	var alone bool
	if err := s.conn.QueryRow(ctx, sqlTryLock, lockClass, lockSweeper).Scan(&alone); err != nil || !alone {
		return err
	}
	err := errors.Join(s.sweepDatabases(ctx, kept), s.sweepTemplates(ctx))
	return errors.Join(err, s.exec(ctx, sqlUnlock, lockClass, lockSweeper))
}

func (s session) sweepDatabases(ctx context.Context, kept time.Duration) error {
	names, err := s.names(ctx, sqlDead, databaseClass, time.Now().Add(-kept).Unix())
	if err != nil {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, s.drop(ctx, name))
	}
	return err
}

func (s session) sweepTemplates(ctx context.Context) error {
	names, err := s.names(ctx, sqlOldTemplates, time.Now().Add(-templateAge).Unix())
	if err != nil {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, s.dropTemplate(ctx, name))
	}
	return err
}

// dropTemplate drops a template that nobody is copying.
func (s session) dropTemplate(ctx context.Context, name string) error {
	start, err := hex.DecodeString(strings.TrimPrefix(name, templatePrefix))
	if err != nil {
		return fmt.Errorf("read the name of template %s: %w", name, err)
	}
	id := int32(binary.BigEndian.Uint32(start))
	var unused bool
	if err := s.conn.QueryRow(ctx, sqlTryLock, templateClass, id).Scan(&unused); err != nil || !unused {
		return err
	}
	return errors.Join(s.drop(ctx, name), s.exec(ctx, sqlUnlock, templateClass, id))
}

func (s session) names(ctx context.Context, sql string, args ...any) ([]string, error) {
	// Query reports its error through the rows.
	rows, _ := s.conn.Query(ctx, sql, args...)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for databases to drop: %w", err)
	}
	return names, nil
}
