package eventstore

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/pingvas/pingvas/domain"
)

// DataKeyBytes is the length of an account's data key: AES-256.
const DataKeyBytes = 32

// Erased stands where personal data was, once the account's key has been erased.
const Erased = "[erased]"

// sealPrefix marks a sealed field and the version of its form: base64url(nonce ‖ AES-GCM ciphertext).
const sealPrefix = "sealed:v1:"

// sealTag is the struct tag of fields that hold personal data.
const sealTag = "pii"

// ErrKeyErased is what a Keyring answers for an account whose key was erased.
var ErrKeyErased = errors.New("the account's data key was erased")

// Keyring holds one data key per account. Erasing the key erases the person: everything sealed with it is lost, while
// hashes and balances stay valid.
type Keyring interface {
	// Key returns the account's data key of DataKeyBytes and makes one at the first call. After erasure it returns
	// ErrKeyErased for ever.
	Key(ctx context.Context, account domain.AccountID) ([]byte, error)
}

// KeyError is a data key that could not be had. It says nothing of the event, and another try may mend it.
type KeyError struct {
	Account domain.AccountID
	Err     error
}

// Error implements error.
func (e *KeyError) Error() string { return fmt.Sprintf("get the data key of %s: %v", e.Account, e.Err) }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// sealedField is a string field that holds personal data.
type sealedField struct {
	index []int
	name  string // path of JSON names, e.g. spec.prompt
}

// sealedFields returns the string fields tagged pii:"seal" in a struct type and in the structs inside it.
func sealedFields(t reflect.Type) []sealedField {
	var fields []sealedField
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get(sealTag) == "seal" {
			fields = append(fields, sealedField{f.Index, name})
		}
		if f.Type.Kind() != reflect.Struct {
			continue
		}
		for _, inner := range sealedFields(f.Type) {
			path := strings.TrimPrefix(name+"."+inner.name, ".")
			fields = append(fields, sealedField{append([]int{i}, inner.index...), path})
		}
	}
	return fields
}

// seal returns a pointer to a copy of e with its personal data sealed.
func (t *codecType) seal(key []byte, account domain.AccountID, e domain.Event) (any, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	copied := reflect.New(reflect.TypeOf(e))
	copied.Elem().Set(reflect.ValueOf(e))
	for _, f := range t.sealed {
		field := copied.Elem().FieldByIndex(f.index)
		if field.String() == "" {
			continue
		}
		nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+field.Len()+aead.Overhead())
		if _, err := rand.Read(nonce); err != nil {
			return nil, fmt.Errorf("draw a nonce: %w", err)
		}
		box := aead.Seal(nonce, nonce, []byte(field.String()), sealContext(account, t.Name, f.name))
		field.SetString(sealPrefix + base64.RawURLEncoding.EncodeToString(box))
	}
	return copied.Interface(), nil
}

// unseal opens the sealed fields of the event that pointer points to, in place.
func (c *Codec) unseal(ctx context.Context, t *codecType, e Envelope, pointer domain.Event) error {
	meta, err := e.Meta()
	if err != nil {
		return fmt.Errorf("decode metadata: %w", err)
	}
	key, err := c.keys.Key(ctx, meta.Account)
	if errors.Is(err, ErrKeyErased) {
		return t.eachSealed(pointer, func(string, string) (string, error) { return Erased, nil })
	}
	if err != nil {
		return &KeyError{Account: meta.Account, Err: err}
	}
	aead, err := newAEAD(key)
	if err != nil {
		return err
	}
	return t.eachSealed(pointer, func(name, sealed string) (string, error) {
		return open(aead, sealed, sealContext(meta.Account, t.Name, name))
	})
}

func (t *codecType) eachSealed(pointer domain.Event, opened func(name, sealed string) (string, error)) error {
	for _, f := range t.sealed {
		field := reflect.ValueOf(pointer).Elem().FieldByIndex(f.index)
		sealed, ok := strings.CutPrefix(field.String(), sealPrefix)
		if !ok && field.String() != "" {
			return errors.New("a field that must be sealed is not")
		}
		if field.String() == "" {
			continue
		}
		text, err := opened(f.name, sealed)
		if err != nil {
			return err
		}
		field.SetString(text)
	}
	return nil
}

func open(aead cipher.AEAD, sealed string, context []byte) (string, error) {
	box, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(box) < aead.NonceSize() {
		return "", errors.New("a sealed field is malformed")
	}
	text, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], context)
	if err != nil {
		return "", errors.New("a sealed field does not open with the account's key")
	}
	return string(text), nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the data key: %w", err)
	}
	return cipher.NewGCM(block)
}

// sealContext binds a sealed field to its place, so that it cannot be moved to another account, event or field.
func sealContext(account domain.AccountID, event, field string) []byte {
	return fmt.Appendf(nil, "%s|%s|%s", account, event, field)
}
