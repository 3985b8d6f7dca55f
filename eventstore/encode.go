package eventstore

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// An encoder appends a value of its type to b exactly as encoding/json writes it, in a third of the time: which events
// there are is known beforehand, so what encoding/json finds out at every value is found out once. It knows what events
// are made of and returns false for a value that encoding/json has to look at.
type encoder func(b []byte, v reflect.Value) ([]byte, bool)

// encoderOf returns the encoder of a type, or nil if its values are left to encoding/json.
func encoderOf(t reflect.Type) encoder {
	if t == reflect.TypeFor[time.Time]() {
		return encodeTime
	}
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if reflect.PointerTo(t).Implements(own) {
			return nil
		}
	}
	switch t.Kind() {
	case reflect.String:
		return encodeString
	case reflect.Bool:
		return func(b []byte, v reflect.Value) ([]byte, bool) { return strconv.AppendBool(b, v.Bool()), true }
	case reflect.Int, reflect.Int64:
		return func(b []byte, v reflect.Value) ([]byte, bool) { return strconv.AppendInt(b, v.Int(), 10), true }
	case reflect.Slice:
		return encodeSlice(encoderOf(t.Elem()))
	case reflect.Struct:
		return encodeStruct(t)
	default:
		return nil
	}
}

func encodeTime(b []byte, v reflect.Value) ([]byte, bool) {
	at, _ := reflect.TypeAssert[time.Time](v)
	b, err := at.AppendText(append(b, '"'))
	return append(b, '"'), err == nil
}

func encodeString(b []byte, v reflect.Value) ([]byte, bool) {
	s := v.String()
	return append(append(append(b, '"'), s...), '"'), isPlain(s)
}

// isPlain reports whether there is nothing to escape in a string.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func encodeSlice(element encoder) encoder {
	if element == nil {
		return nil
	}
	return func(b []byte, v reflect.Value) (_ []byte, ok bool) {
		if v.IsNil() {
			return append(b, "null"...), true
		}
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			if b, ok = element(b, v.Index(i)); !ok {
				return b, false
			}
		}
		return append(b, ']'), true
	}
}

// encodedField is a field of a struct.
type encodedField struct {
	index  int
	name   string // as it is written, with the colon
	encode encoder
	omit   func(reflect.Value) bool // or nil
}

func encodeStruct(t reflect.Type) encoder {
	fields := make([]encodedField, t.NumField())
	for i := range fields {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		omit, known := omission(f.Type, option)
		fields[i] = encodedField{i, `"` + name + `":`, encoderOf(f.Type), omit}
		if !known || fields[i].encode == nil || f.Anonymous || !f.IsExported() || name == "" || name == "-" {
			return nil
		}
	}
	return func(b []byte, v reflect.Value) (_ []byte, ok bool) {
		begin := byte('{')
		for _, f := range fields {
			value := v.Field(f.index)
			if f.omit != nil && f.omit(value) {
				continue
			}
			b = append(append(b, begin), f.name...)
			begin = ','
			if b, ok = f.encode(b, value); !ok {
				return b, false
			}
		}
		if begin == '{' {
			b = append(b, '{')
		}
		return append(b, '}'), true
	}
}

// omission returns when a field with this option is left out, if ever, and whether that is known.
func omission(t reflect.Type, option string) (omit func(reflect.Value) bool, known bool) {
	switch {
	case option == "":
		return nil, true
	case option != "omitempty" || t.Kind() == reflect.Struct:
		return nil, false
	case t.Kind() == reflect.Slice:
		return func(v reflect.Value) bool { return v.Len() == 0 }, true
	default:
		return reflect.Value.IsZero, true
	}
}
