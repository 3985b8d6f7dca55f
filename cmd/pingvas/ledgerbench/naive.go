package ledgerbench

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Naive is the ledger that most teams would write: one SQL transaction for each command, which changes the balance
// where it is enough, writes the hold and writes an event.
type Naive struct{ Pool *pgxpool.Pool }

const naiveSchema = `
DROP SCHEMA IF EXISTS naive CASCADE;
CREATE SCHEMA naive;
CREATE TABLE naive.balances (account int PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0),
    reserved bigint NOT NULL, consumed bigint NOT NULL);
CREATE TABLE naive.holds (id text PRIMARY KEY, account int NOT NULL, amount bigint NOT NULL, state text NOT NULL);
CREATE TABLE naive.events (id bigserial PRIMARY KEY, account int NOT NULL, type text NOT NULL, data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON naive.events (account, id);`

// Name implements Target.
func (n Naive) Name() string { return "naive" }

// Schema implements Target.
func (n Naive) Schema() string { return "naive" }

// Client implements Target.
func (n Naive) Client(context.Context) (Client, error) { return n, nil }

// Close implements Client.
func (n Naive) Close() error { return nil }

// Prepare makes the tables anew and opens this many accounts.
func (n Naive) Prepare(ctx context.Context, accounts int) error {
	if _, err := n.Pool.Exec(ctx, naiveSchema); err != nil {
		return fmt.Errorf("create the naive ledger: %w", err)
	}
	_, err := n.Pool.Exec(ctx, `INSERT INTO naive.balances SELECT n, $2, 0, 0 FROM generate_series(0, $1 - 1) n`,
		accounts, int64(grantPerAccount))
	return err
}

// Reserve implements Client. The id names the hold.
func (n Naive) Reserve(ctx context.Context, account int, id string) (string, error) {
	return id, pgx.BeginFunc(ctx, n.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE naive.balances SET available = available - $2, reserved = reserved + $2
			WHERE account = $1 AND available >= $2`, account, int64(reserveAmount))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errors.New("not enough credits")
		}
		if _, err = tx.Exec(ctx, `INSERT INTO naive.holds VALUES ($1, $2, $3, 'open')`,
			id, account, int64(reserveAmount)); err != nil {
			return err
		}
		return n.event(ctx, tx, account, "reserved", id)
	})
}

// End implements Client.
func (n Naive) End(ctx context.Context, account int, id string, ending Ending) error {
	return n.end(ctx, account, id, ending.charge())
}

func (n Naive) end(ctx context.Context, account int, id string, charge int64) error {
	return pgx.BeginFunc(ctx, n.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE naive.holds SET state = 'ended' WHERE id = $1 AND state = 'open'`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errors.New("no such hold")
		}
		if _, err = tx.Exec(ctx, `UPDATE naive.balances SET reserved = reserved - $2, consumed = consumed + $3,
			available = available + $2 - $3 WHERE account = $1`, account, int64(reserveAmount), charge); err != nil {
			return err
		}
		return n.event(ctx, tx, account, "ended", id)
	})
}

func (n Naive) event(ctx context.Context, tx pgx.Tx, account int, kind, id string) error {
	_, err := tx.Exec(ctx, `INSERT INTO naive.events (account, type, data) VALUES ($1, $2, $3)`,
		account, kind, map[string]any{"hold": id, "amount": reserveAmount})
	return err
}
