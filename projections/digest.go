package projections

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pingvas/pingvas/eventstore"
)

const (
	// sqlCanonical makes the text of a row depend on nothing but the row.
	sqlCanonical = `SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
		set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
		set_config('bytea_output', 'hex', true)`
	sqlTables = `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 ORDER BY tablename COLLATE "C"`
)

const sqlCopyPosition = `SELECT pos FROM projections.checkpoints
	WHERE projection = $1 AND version = $2 AND build = $3 AND shard = $4`

// DigestOf returns the position of a shard of a copy, and the digest of its rows at exactly that position.
func DigestOf(
	ctx context.Context, pool *pgxpool.Pool, c Copy, shard int,
) (at eventstore.Position, sum eventstore.Hash, err error) {
	at.Shard = shard
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, pool, snapshot, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, sqlCopyPosition, c.Projection, c.Version, c.Build, shard).Scan(&at.Pos)
		if err != nil {
			return fmt.Errorf("read the checkpoint of %s: %w", c.Schema(), err)
		}
		sum, err = digest(ctx, tx, target{schema: c.Schema()}, shard)
		return err
	})
	return at, sum, err
}

// digest returns the hash of all rows of a shard in a view's tables: table by table by name, rows by their text. The
// settings of the transaction are changed.
func digest(ctx context.Context, tx pgx.Tx, of target, shard int) (eventstore.Hash, error) {
	sum := sha256.New()
	if err := of.enter(ctx, tx, HoldMaxDefault); err != nil {
		return eventstore.Hash{}, err
	}
	if _, err := tx.Exec(ctx, sqlCanonical); err != nil {
		return eventstore.Hash{}, fmt.Errorf("make the text of rows canonical: %w", err)
	}
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlTables, of.schema)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return eventstore.Hash{}, fmt.Errorf("list the tables of %s: %w", of.schema, err)
	}
	for _, table := range tables {
		writeField(sum, table)
		if err := digestTable(ctx, tx, sum, pgx.Identifier{of.schema, table}, shard); err != nil {
			return eventstore.Hash{}, err
		}
	}
	return eventstore.Hash(sum.Sum(nil)), nil
}

func digestTable(ctx context.Context, tx pgx.Tx, sum io.Writer, table pgx.Identifier, shard int) error {
	sql := `SELECT t::text FROM ` + table.Sanitize() + ` AS t WHERE shard = $1 ORDER BY t::text COLLATE "C"`
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sql, shard)
	var row string
	if _, err := pgx.ForEachRow(rows, []any{&row}, func() error { writeField(sum, row); return nil }); err != nil {
		return fmt.Errorf("read the rows of %s: %w", table.Sanitize(), err)
	}
	writeField(sum, "")
	return nil
}

// writeField never fails: hashes accept everything.
func writeField(sum io.Writer, field string) {
	_, _ = sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
	_, _ = sum.Write([]byte(field))
}
