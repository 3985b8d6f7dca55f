package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

func TestAServerThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&pgconn.ConnectError{}, &net.OpError{Op: "read", Err: errors.New("reset")}, io.ErrUnexpectedEOF, pgconn.ErrConnClosed,
		&pgconn.PgError{Code: "57P01"}, &pgconn.PgError{Code: "53300"}, &pgconn.PgError{Code: "08006"},
	} {
		wrapped := failed(t.Context(), "append", fmt.Errorf("wrapped: %w", err))
		require.Equal(t, domain.CodeUnavailable, domain.CodeOf(wrapped), "%T", err)
		require.ErrorIs(t, wrapped, err)
		require.True(t, Away(fmt.Errorf("wrapped: %w", err)), "%T", err)
	}
	for _, err := range []error{errors.New("bug"), &pgconn.PgError{Code: "22P02"}, &pgconn.PgError{Code: undefinedTable}} {
		require.Equal(t, domain.CodeInternal, domain.CodeOf(failed(t.Context(), "append", err)), "%T", err)
		require.False(t, Away(err), "%T", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, failed(ctx, "append", &pgconn.ConnectError{}), context.Canceled)
}
