package projections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pingvas/pingvas/eventstore"
)

// ErrFenced says that another runner has moved the checkpoint.
var ErrFenced = errors.New("another runner has moved the checkpoint")

// TransientError is a failure of Apply that another try may mend, such as a search engine that does not answer.
type TransientError struct{ Err error }

// Error implements error.
func (e *TransientError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *TransientError) Unwrap() error { return e.Err }

// EventError is an event that a view cannot apply.
type EventError struct {
	Position eventstore.Position
	Type     string
	Err      error
}

// Error implements error.
func (e *EventError) Error() string {
	return fmt.Sprintf("apply %s at %s: %v", e.Type, e.Position, e.Err)
}

// Unwrap returns the cause.
func (e *EventError) Unwrap() error { return e.Err }

// transientClasses are the classes of SQLSTATE that are the database's state and not the event's fault: connection,
// read-only or broken transaction, authorization, missing database or schema, rollback, missing table or right (the
// statements do not depend on the event), resources, object state, operator intervention, system.
const transientClasses = "08 25 28 3D 3F 40 42 53 55 57 58"

// transient reports whether another try may mend the error.
func transient(err error) bool {
	var declared *TransientError
	var network net.Error
	var connect *pgconn.ConnectError
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &declared), errors.As(err, &network), errors.As(err, &connect),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, pgconn.ErrConnClosed),
		errors.Is(err, ErrFenced):
		return true
	case errors.As(err, &answer):
		return strings.Contains(transientClasses, answer.Code[:2])
	}
	return false
}

// decodeFailure tells events that cannot be read from keys that cannot be had: only the former are the event's fault.
func decodeFailure(err error) error {
	var key *eventstore.KeyError
	if errors.As(err, &key) {
		return &TransientError{Err: err}
	}
	return err
}
