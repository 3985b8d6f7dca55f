package queries

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
)

// A cursor opens for the list that it was given for. Any other text is refused, and so is it for another list.
func FuzzCursor(f *testing.F) {
	s := &Service{cfg: Config{CursorKey: bytes.Repeat([]byte{7}, 32)}}
	filter := []any{"statement", "acc_1", "available"}
	for _, place := range []int64{0, 1042, -1} {
		f.Add(s.sealCursor(filter, place), "available", place)
		f.Add(s.sealCursor(filter, place)+"=", "reserved", place)
		f.Add(s.sealCursor(filter, place)+"\n", "available\x00", place)
	}
	f.Add("", "", int64(0))
	f.Add("AAAAAAAAAAAAAAAAAAAAAA", "x", int64(1))
	f.Fuzz(func(t *testing.T, cursor, book string, place int64) {
		given := s.sealCursor(filter, place)
		var opened int64
		require.NoError(t, s.openCursor(given, filter, &opened))
		require.Equal(t, place, opened)

		err := s.openCursor(given, []any{"statement", "acc_1", book}, &opened)
		require.Equal(t, book == "available", err == nil)

		var anything any
		if err := s.openCursor(cursor, filter, &anything); err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			return
		}
		require.Equal(t, cursor, s.sealCursor(filter, anything), "only what was sealed opens")
	})
}
