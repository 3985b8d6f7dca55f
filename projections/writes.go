package projections

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Writes gathers the statements of a batch of events and runs them in order, in one round trip. The zero value is
// ready.
type Writes struct{ batch pgx.Batch }

// Add adds a statement that may change any number of rows.
func (w *Writes) Add(sql string, args ...any) { w.batch.Queue(sql, args...) }

// AddOne adds a statement that must change exactly one row: anything else means that the view has missed an event.
func (w *Writes) AddOne(sql string, args ...any) { w.AddRows(1, sql, args...) }

// AddRows adds a statement that must change exactly so many rows, if there are any: its arguments are columns.
func (w *Writes) AddRows(rows int, sql string, args ...any) {
	if rows == 0 {
		return
	}
	w.batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(rows) {
			return fmt.Errorf("%d rows were changed instead of %d by: %s", tag.RowsAffected(), rows, sql)
		}
		return nil
	})
}

// Run runs the statements.
func (w *Writes) Run(ctx context.Context, tx pgx.Tx) error {
	if w.batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &w.batch).Close()
}

// Text returns s as Postgres can store it: without the character NUL and without bytes that are not UTF-8.
func Text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// TextArray returns a list as Postgres writes it. A column of lists is sent as a column of such texts: arrays of arrays
// would all need the same length.
func TextArray(list []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		_, _ = arrayEscapes.WriteString(&b, s) // a builder takes everything
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var arrayEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
