package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pingvas/pingvas/api/gen"
)

const mediaTypeJSON = "application/json"

// Bounds of a request's body.
const (
	bodyBytesMax   = 1 << 20
	bodyDepthMax   = 32   // objects and arrays inside each other
	bodyValuesMax  = 6000 // values of any kind, as a full batch has; the validator takes far longer over a wrong one
	detailRunesMax = 200
)

// readBody returns the body of a request that says that it is JSON.
func readBody(r *http.Request) ([]byte, error) {
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	body, err := readAll(r)
	if err == nil {
		return body, nil
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &refusal{
			code: codeTooLarge, detail: fmt.Sprintf("the body has more than %d bytes", bodyBytesMax),
		}
	}
	return nil, invalidField("", "the body ends too early")
}

// readAll reads the body, in one piece if it says how long it is.
func readAll(r *http.Request) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > bodyBytesMax {
		return io.ReadAll(r.Body)
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}

// bodyAgain is a body that was read already.
type bodyAgain struct{ bytes.Reader }

func newBodyAgain(body []byte) *bodyAgain {
	b := &bodyAgain{}
	b.Reset(body)
	return b
}

// Close implements io.Closer.
func (b *bodyAgain) Close() error { return nil }

func checkMediaType(h http.Header) error {
	if h.Get("Content-Type") == mediaTypeJSON && h.Get("Content-Encoding") == "" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != mediaTypeJSON || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		h.Get("Content-Encoding") != "" {
		return &refusal{code: codeMediaType, detail: "the body must be application/json in UTF-8, not encoded"}
	}
	return nil
}

// readJSON returns the value as the validator takes it: maps, slices, strings and json.Number. It returns
// invalid-request for bytes that are not one JSON value in UTF-8, for values nested too deep, for repeated names, for
// more values than any request needs, for numbers that no double can hold, and for NUL, which the database cannot.
func readJSON(body []byte) (any, error) {
	if !utf8.Valid(body) {
		return nil, invalidField("", "the body is not UTF-8")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, invalidField("", "the body is empty")
	}
	// That a name is given twice is found here, where it can be named.
	w := jsonWalk{decoder: jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))}
	value, err := w.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := w.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON()
	}
	return value, nil
}

func errNotJSON() error { return invalidField("", "the body is not JSON") }

// jsonWalk reads one JSON value token by token.
type jsonWalk struct {
	decoder *jsontext.Decoder
	path    []string
	values  int
}

func (w *jsonWalk) value(depth int) (any, error) {
	if w.values++; w.values > bodyValuesMax {
		return nil, invalidField("", fmt.Sprintf("the body holds more than %d values", bodyValuesMax))
	}
	token, err := w.decoder.ReadToken()
	if err != nil {
		return nil, errNotJSON()
	}
	switch kind := token.Kind(); kind {
	case jsontext.KindBeginObject, jsontext.KindBeginArray:
		if depth == bodyDepthMax {
			return nil, w.refuse(fmt.Sprintf("is nested deeper than %d levels", bodyDepthMax))
		}
		if kind == jsontext.KindBeginObject {
			return w.object(depth)
		}
		return w.array(depth)
	case jsontext.KindString:
		return w.text(token.String())
	case jsontext.KindNumber:
		number := json.Number(token.String())
		if _, err := number.Float64(); err != nil {
			return nil, w.refuse("is a number out of range")
		}
		return number, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	}
	return nil, nil
}

func (w *jsonWalk) object(depth int) (any, error) {
	out := map[string]any{}
	for w.decoder.PeekKind() != jsontext.KindEndObject {
		token, err := w.decoder.ReadToken()
		if err != nil {
			return nil, errNotJSON()
		}
		name := token.String()
		w.path = append(w.path, name)
		if _, again := out[name]; again {
			return nil, w.refuse("is given twice")
		}
		if _, err := w.text(name); err != nil {
			return nil, err
		}
		if out[name], err = w.value(depth + 1); err != nil {
			return nil, err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return out, w.end()
}

func (w *jsonWalk) array(depth int) (any, error) {
	out := []any{}
	for i := 0; w.decoder.PeekKind() != jsontext.KindEndArray; i++ {
		w.path = append(w.path, strconv.Itoa(i))
		value, err := w.value(depth + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
		w.path = w.path[:len(w.path)-1]
	}
	return out, w.end()
}

func (w *jsonWalk) end() error {
	if _, err := w.decoder.ReadToken(); err != nil {
		return errNotJSON()
	}
	return nil
}

func (w *jsonWalk) text(s string) (any, error) {
	if strings.ContainsRune(s, 0) {
		return nil, w.refuse("holds a NUL character")
	}
	return s, nil
}

func (w *jsonWalk) refuse(detail string) error { return invalidField(pointer(w.path), detail) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the JSON pointer (RFC 6901) of a path, cut to a length that a person may read.
func pointer(path []string) string {
	var b strings.Builder
	for _, part := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(part))
	}
	return short(b.String())
}

func short(s string) string {
	if utf8.RuneCountInString(s) <= detailRunesMax {
		return s
	}
	return string([]rune(s)[:detailRunesMax]) + "…"
}

// decodeBody reads the JSON of a request into a struct that holds every field there may be.
func decodeBody[T any](r *http.Request) (T, error) {
	var out T
	body, err := readBody(r)
	if err != nil {
		return out, err
	}
	if _, err := readJSON(body); err != nil {
		return out, err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&out); err != nil {
		return out, decodeError(err)
	}
	return out, nil
}

// decodeError says which field a decoder could not read.
func decodeError(err error) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		return invalidField(pointer(strings.Split(mismatch.Field, ".")), "has the wrong type or is out of range")
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if field, err := strconv.Unquote(name); err == nil {
			return invalidField(pointer([]string{field}), "is not a known field")
		}
	}
	return invalid(gen.FieldError{Pointer: "", Detail: "does not have the form that the contract asks for"})
}
