package postgres

import "encoding/binary"

// array is a parameter that is an array of one dimension, as array_recv reads it (PostgreSQL,
// src/backend/utils/adt/arrayfuncs.c): the number of dimensions, whether any element is NULL, the type of the elements,
// how many there are, the number of the first one; and each element after its length. Postgres looks for NULLs itself.
//
// The driver makes the same of a slice, in more than twice the time.
type array struct {
	wire  []byte
	count uint32
}

// Parts of the wire format.
const (
	arrayHeader = 20 // bytes
	countAt     = 12
	lengthBytes = 4
	isNull      = ^uint32(0) // instead of a length
)

// newArray has room for elements of this type, which have so many bytes in all.
func newArray(element uint32, elements, bytes int) array {
	wire := make([]byte, 0, arrayHeader+elements*lengthBytes+bytes)
	for _, part := range [arrayHeader / 4]uint32{1, 0, element, 0, 1} {
		wire = binary.BigEndian.AppendUint32(wire, part)
	}
	return array{wire: wire}
}

// value returns the parameter. An array without elements has no dimension.
func (a *array) value() []byte {
	if a.count == 0 {
		binary.BigEndian.PutUint32(a.wire, 0)
		return a.wire[:countAt]
	}
	binary.BigEndian.PutUint32(a.wire[countAt:], a.count)
	return a.wire
}

// length begins an element.
func (a *array) length(bytes uint32) {
	a.wire = binary.BigEndian.AppendUint32(a.wire, bytes)
	a.count++
}

func (a *array) addNull() { a.length(isNull) }

func (a *array) addBool(v bool) {
	a.length(1)
	if v {
		a.wire = append(a.wire, 1)
	} else {
		a.wire = append(a.wire, 0)
	}
}

func (a *array) addInt2(v int) {
	a.length(2)
	a.wire = binary.BigEndian.AppendUint16(a.wire, uint16(v))
}

func (a *array) addInt4(v int) {
	a.length(4)
	a.wire = binary.BigEndian.AppendUint32(a.wire, uint32(v))
}

func (a *array) addInt8(v int64) {
	a.length(8)
	a.wire = binary.BigEndian.AppendUint64(a.wire, uint64(v))
}

func (a *array) addText(v string) {
	a.length(uint32(len(v)))
	a.wire = append(a.wire, v...)
}

// addBytes adds bytes, a UUID, or JSON, which is text.
func (a *array) addBytes(v []byte) {
	a.length(uint32(len(v)))
	a.wire = append(a.wire, v...)
}
