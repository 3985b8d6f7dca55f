package projections

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/eventstore"
)

const (
	// sqlCanonical makes the text of a row depend on nothing but the row.
	sqlCanonical = `SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
		set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
		set_config('bytea_output', 'hex', true)`
	sqlTables = `SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1 ORDER BY tablename COLLATE "C"`
)

// Digest returns the hash of all rows of a shard in a view's tables: table by table by name, rows by their text.
// The settings of the transaction are changed.
func Digest(ctx context.Context, tx pgx.Tx, schema string, shard int) (eventstore.Hash, error) {
	sum := sha256.New()
	if _, err := tx.Exec(ctx, sqlCanonical); err != nil {
		return eventstore.Hash{}, fmt.Errorf("make the text of rows canonical: %w", err)
	}
	// Query reports its error through the rows.
	rows, _ := tx.Query(ctx, sqlTables, schema)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return eventstore.Hash{}, fmt.Errorf("list the tables of %s: %w", schema, err)
	}
	for _, table := range tables {
		writeField(sum, table)
		if err := digestTable(ctx, tx, sum, pgx.Identifier{schema, table}, shard); err != nil {
			return eventstore.Hash{}, err
		}
	}
	return eventstore.Hash(sum.Sum(nil)), nil
}

func digestTable(ctx context.Context, tx pgx.Tx, sum hash.Hash, table pgx.Identifier, shard int) error {
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
func writeField(sum hash.Hash, field string) {
	_, _ = sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
	_, _ = sum.Write([]byte(field))
}
