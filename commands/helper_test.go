package commands_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

// errDetail returns the JSON of the detail of a refusal.
func errDetail(t *testing.T, err error) []byte {
	t.Helper()
	var e *domain.Error
	require.True(t, errors.As(err, &e))
	detail, err := json.Marshal(e.Detail)
	require.NoError(t, err)
	return detail
}
