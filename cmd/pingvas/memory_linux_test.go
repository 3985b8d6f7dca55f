package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/cmd/pingvas/ledgerbench"
)

// What was cleared by writing to it costs nothing any more, and is still all zeros.
func TestUntouchedMemoryIsNotResident(t *testing.T) { // not parallel: it reads the memory of the whole process
	const size, enough, page = 128 << 20, 64 << 20, 4 << 10 // the rest of the process may grow meanwhile
	zeros := make([]byte, size)
	for i := 0; i < size; i += page {
		zeros[i] = 1
	}
	clear(zeros)
	before := anonymous(t)
	untouch(zeros)
	require.Less(t, anonymous(t), before-enough)
	require.Equal(t, make([]byte, page), zeros[:page])
	untouch(nil)
}

func anonymous(t *testing.T) int64 {
	t.Helper()
	bytes, ok := ledgerbench.Anonymous(os.Getpid())
	require.True(t, ok)
	return bytes
}
