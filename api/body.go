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

	"github.com/pingvas/pingvas/api/gen"
)

// Bounds of a request's body.
const (
	bodyBytesMax   = 1 << 20
	bodyDepthMax   = 32   // objects and arrays inside each other
	bodyValuesMax  = 6000 // values of any kind, as a full batch has; the validator takes far longer over a wrong one
	detailRunesMax = 200
)

// readBody returns the JSON of a request, after checks that neither the contract nor the decoder make.
func readBody(r *http.Request) ([]byte, error) {
	if err := checkMediaType(r.Header); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &refusal{code: codeTooLarge, detail: fmt.Sprintf("the body has more than %d bytes", bodyBytesMax)}
	}
	if err != nil {
		return nil, invalidField("", "the body ends too early")
	}
	return body, checkJSON(body)
}

func checkMediaType(h http.Header) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		h.Get("Content-Encoding") != "" {
		return &refusal{code: codeMediaType, detail: "the body must be application/json in UTF-8, not encoded"}
	}
	return nil
}

// checkJSON returns invalid-request for bytes that are not one JSON value in UTF-8, for values nested too deep, for
// repeated names, for more values than any request needs, for numbers that no double can hold, and for NUL, which the
// database cannot.
func checkJSON(body []byte) error {
	if !utf8.Valid(body) {
		return invalidField("", "the body is not UTF-8")
	}
	w := jsonWalk{decoder: json.NewDecoder(bytes.NewReader(body))}
	w.decoder.UseNumber()
	if len(bytes.TrimSpace(body)) == 0 {
		return invalidField("", "the body is empty")
	}
	// Depth comes first: Valid itself has a limit, but a far higher one.
	if err := w.value(0); err != nil {
		return err
	}
	if !json.Valid(body) {
		return invalidField("", "the body is not JSON")
	}
	return nil
}

// jsonWalk reads one JSON value token by token.
type jsonWalk struct {
	decoder *json.Decoder
	path    []string
	values  int
}

func (w *jsonWalk) value(depth int) error {
	if w.values++; w.values > bodyValuesMax {
		return invalidField("", fmt.Sprintf("the body holds more than %d values", bodyValuesMax))
	}
	token, err := w.decoder.Token()
	if err != nil {
		return invalidField("", "the body is not JSON")
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == bodyDepthMax {
			return w.refuse(fmt.Sprintf("is nested deeper than %d levels", bodyDepthMax))
		}
		if t == '{' {
			return w.object(depth)
		}
		return w.array(depth)
	case string:
		return w.text(t)
	case json.Number:
		if _, err := t.Float64(); err != nil {
			return w.refuse("is a number out of range")
		}
	}
	return nil
}

func (w *jsonWalk) object(depth int) error {
	seen := map[string]bool{}
	for w.decoder.More() {
		token, err := w.decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return invalidField("", "the body is not JSON")
		}
		w.path = append(w.path, name)
		if seen[name] {
			return w.refuse("is given twice")
		}
		seen[name] = true
		if err := w.text(name); err != nil {
			return err
		}
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return w.end()
}

func (w *jsonWalk) array(depth int) error {
	for i := 0; w.decoder.More(); i++ {
		w.path = append(w.path, strconv.Itoa(i))
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return w.end()
}

func (w *jsonWalk) end() error {
	if _, err := w.decoder.Token(); err != nil {
		return invalidField("", "the body is not JSON")
	}
	return nil
}

func (w *jsonWalk) text(s string) error {
	if strings.ContainsRune(s, 0) {
		return w.refuse("holds a NUL character")
	}
	return nil
}

func (w *jsonWalk) refuse(detail string) error { return invalidField(pointer(w.path), detail) }

// pointer returns the JSON pointer (RFC 6901) of a path, cut to a length that a person may read.
func pointer(path []string) string {
	var b strings.Builder
	for _, part := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
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
