package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestArrays reads arrays back as the driver does: whatever was added is there, in its order.
func TestArrays(t *testing.T) {
	t.Parallel()
	t.Run("text or NULL", rapid.MakeCheck(func(t *rapid.T) {
		checkArray(t, pgtype.TextOID, pgtype.TextArrayOID, rapid.Ptr(rapid.String(), true), addText)
	}))
	t.Run("bytes", rapid.MakeCheck(func(t *rapid.T) {
		one := rapid.SliceOf(rapid.Byte())
		checkArray(t, pgtype.ByteaOID, pgtype.ByteaArrayOID, one, (*array).addBytes)
	}))
	t.Run("boolean", rapid.MakeCheck(func(t *rapid.T) {
		checkArray(t, pgtype.BoolOID, pgtype.BoolArrayOID, rapid.Bool(), (*array).addBool)
	}))
	t.Run("smallint", rapid.MakeCheck(func(t *rapid.T) {
		checkArray(t, pgtype.Int2OID, pgtype.Int2ArrayOID, rapid.IntRange(-1<<15, 1<<15-1), (*array).addInt2)
	}))
	t.Run("integer", rapid.MakeCheck(func(t *rapid.T) {
		checkArray(t, pgtype.Int4OID, pgtype.Int4ArrayOID, rapid.IntRange(-1<<31, 1<<31-1), (*array).addInt4)
	}))
	t.Run("bigint", rapid.MakeCheck(func(t *rapid.T) {
		checkArray(t, pgtype.Int8OID, pgtype.Int8ArrayOID, rapid.Int64(), (*array).addInt8)
	}))
}

func addText(a *array, text *string) {
	if text == nil {
		a.addNull()
	} else {
		a.addText(*text)
	}
}

func checkArray[T any](t *rapid.T, element, oid uint32, one *rapid.Generator[T], add func(*array, T)) {
	want := rapid.SliceOf(one).Draw(t, "elements")
	a := newArray(element, rapid.IntRange(0, len(want)).Draw(t, "room"), 0)
	for _, v := range want {
		add(&a, v)
	}
	got := []T{}
	require.NoError(t, pgtype.NewMap().Scan(oid, pgx.BinaryFormatCode, a.value(), &got))
	require.Equal(t, want, got)
}
