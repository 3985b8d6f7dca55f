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
func (w *Writes) AddOne(sql string, args ...any) {
	w.batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("%d rows were changed instead of one by: %s", tag.RowsAffected(), sql)
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
