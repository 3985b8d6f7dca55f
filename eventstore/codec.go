package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync/atomic"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/pingvas/pingvas/domain"
)

// Codec turns events into bytes and back. String fields tagged `pii:"seal"` are sealed with the account's data key, so
// what is stored, hashed and published never holds personal data in the clear.
type Codec struct {
	types map[string]*codecType
	keys  Keyring
}

type codecType struct {
	domain.EventType
	sealed []sealedField
	encode encoder // or nil
	// size is that of the last event in bytes: the next one is not much longer.
	size atomic.Int64
}

// NewCodec returns a codec for these event types. It fails for a name that is listed twice.
func NewCodec(types []domain.EventType, keys Keyring) (*Codec, error) {
	c := &Codec{types: make(map[string]*codecType, len(types)), keys: keys}
	for _, t := range types {
		if c.types[t.Name] != nil {
			return nil, fmt.Errorf("event type %s is listed twice", t.Name)
		}
		of := reflect.TypeOf(t.New()).Elem()
		c.types[t.Name] = &codecType{EventType: t, sealed: sealedFields(of), encode: encoderOf(of)}
	}
	return c, nil
}

// Prepare gets the account's data key, so that Encode need not wait for it soon.
func (c *Codec) Prepare(ctx context.Context, account domain.AccountID) error {
	if _, err := c.keys.Key(ctx, account); err != nil {
		return fmt.Errorf("get the data key of %s: %w", account, err)
	}
	return nil
}

// Seals reports whether events of a type may hold personal data, so that decoding one needs the account's data key.
func (c *Codec) Seals(eventType string) bool {
	t := c.types[eventType]
	return t != nil && len(t.sealed) > 0
}

// Encode returns the JSON of an event of the account, with personal data sealed.
func (c *Codec) Encode(ctx context.Context, account domain.AccountID, e domain.Event) ([]byte, error) {
	t := c.types[e.EventName()]
	if t == nil {
		return nil, fmt.Errorf("event type %s is not in the catalogue", e.EventName())
	}
	if len(t.sealed) == 0 {
		return t.marshal(e)
	}
	key, err := c.keys.Key(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("get the data key of %s: %w", account, err)
	}
	pointer, err := t.seal(key, account, e)
	if err != nil {
		return nil, err
	}
	return json.Marshal(pointer)
}

// muchLonger is by how many bytes an event is usually longer than the one before it at most.
const muchLonger = 32

// marshal returns what json.Marshal returns.
func (t *codecType) marshal(e domain.Event) ([]byte, error) {
	if t.encode == nil {
		return json.Marshal(e)
	}
	data, ok := t.encode(make([]byte, 0, t.size.Load()+muchLonger), reflect.ValueOf(e))
	if !ok {
		return json.Marshal(e)
	}
	t.size.Store(int64(len(data)))
	return data, nil
}

// Decode returns the event in an envelope with personal data in the clear. Where the account's key was erased the
// sealed fields read Erased. An unknown type is an *UnknownTypeError.
func (c *Codec) Decode(ctx context.Context, e Envelope) (domain.Event, error) {
	t := c.types[e.Type]
	if t == nil {
		return nil, &UnknownTypeError{Type: e.Type}
	}
	pointer := t.New()
	if err := jsonv2.Unmarshal(e.Data, pointer); err != nil {
		return nil, fmt.Errorf("decode %s at %s: %w", e.Type, e.Position(), err)
	}
	if len(t.sealed) > 0 {
		if err := c.unseal(ctx, t, e, pointer); err != nil {
			return nil, fmt.Errorf("unseal %s at %s: %w", e.Type, e.Position(), err)
		}
	}
	return t.Deref(pointer), nil
}

// UnknownTypeError is an event type that this version of the program does not know.
type UnknownTypeError struct{ Type string }

// Error implements error.
func (e *UnknownTypeError) Error() string { return "event type " + e.Type + " is not in the catalogue" }
