package domaintest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/pingvas/pingvas/domain"
)

// Recode returns the events as they are after being written as JSON and read again.
func Recode(types []domain.EventType, events ...domain.Event) ([]domain.Event, error) {
	again := make([]domain.Event, 0, len(events))
	for _, e := range events {
		data, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", e.EventName(), err)
		}
		decoded, err := DecodeEvent(types, e.EventName(), data)
		if err != nil {
			return nil, err
		}
		again = append(again, decoded)
	}
	return again, nil
}

// DecodeEvent reads an event by its wire name. Unknown names and fields are errors.
func DecodeEvent(types []domain.EventType, name string, data []byte) (domain.Event, error) {
	for _, typ := range types {
		if typ.Name == name {
			e := typ.New()
			if err := decodeStrict(data, e); err != nil {
				return nil, fmt.Errorf("decode %s: %w", name, err)
			}
			return typ.Deref(e), nil
		}
	}
	return nil, fmt.Errorf("there is no event %q", name)
}

// decodeCommand reads a command by name: the snake case of its type. So are its fields, where they have no JSON name.
func decodeCommand[C any](commands []C, name string, data []byte) (C, error) {
	var none C
	for _, c := range commands {
		typ := reflect.TypeOf(c)
		if snake(typ.Name()) != name {
			continue
		}
		data, err := fieldNames(typ, data)
		if err != nil {
			return none, fmt.Errorf("decode %s: %w", name, err)
		}
		decoded := reflect.New(typ)
		if err := decodeStrict(data, decoded.Interface()); err != nil {
			return none, fmt.Errorf("decode %s: %w", name, err)
		}
		return decoded.Elem().Interface().(C), nil
	}
	return none, fmt.Errorf("there is no command %q", name)
}

// fieldNames renames the keys of a JSON object from the snake case of the struct's fields to the fields themselves.
func fieldNames(typ reflect.Type, data []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read the fields: %w", err)
	}
	for f := range typ.Fields() {
		if value, ok := fields[snake(f.Name)]; ok && f.Tag.Get("json") == "" {
			delete(fields, snake(f.Name))
			fields[f.Name] = value
		}
	}
	return json.Marshal(fields)
}

func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// matches reports where got lacks what the JSON text want says, or nil. Lists must be complete, objects need not.
func matches(want string, got any) error {
	data, err := json.Marshal(got)
	if err != nil {
		return fmt.Errorf("encode %T: %w", got, err)
	}
	wanted, err := plain([]byte(want))
	if err != nil {
		return fmt.Errorf("read %s: %w", want, err)
	}
	had, err := plain(data)
	if err != nil {
		return err
	}
	return part("", wanted, had)
}

func plain(data []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // amounts do not fit into a float64
	err := d.Decode(&v)
	return v, err
}

func part(path string, want, got any) error {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: want an object, got %v", path, got)
		}
		for key, value := range want {
			had, ok := object[key]
			if !ok {
				return fmt.Errorf("%s/%s: want %v, got nothing", path, key, value)
			}
			if err := part(path+"/"+key, value, had); err != nil {
				return err
			}
		}
		return nil
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Errorf("%s: want %v, got %v", path, want, got)
		}
		for i := range want {
			if err := part(fmt.Sprintf("%s/%d", path, i), want[i], list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if want != got {
		return fmt.Errorf("%s: want %v, got %v", path, want, got)
	}
	return nil
}
