package api

import (
	"bytes"
	"errors"
	"io"
	"math/bits"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// bodyReader reads a body token by token, so that nothing is built of what is only looked at.
type bodyReader struct {
	body    bytes.Buffer
	decoder *jsontext.Decoder
	values  int
}

var bodyReaders = sync.Pool{New: func() any {
	r := &bodyReader{}
	r.decoder = jsontext.NewDecoder(&r.body)
	return r
}}

// acceptsBody reports whether the bytes are certainly JSON as readJSON allows it, and valid.
func (a *acceptor) acceptsBody(body []byte) bool {
	if a == nil {
		return false
	}
	r := bodyReaders.Get().(*bodyReader)
	defer bodyReaders.Put(r)
	r.body, r.values = *bytes.NewBuffer(body), 0
	// An object looks after its names itself.
	r.decoder.Reset(&r.body, jsontext.AllowDuplicateNames(true))
	if !r.accepts(a, 0) {
		return false
	}
	_, err := r.decoder.ReadToken()
	return errors.Is(err, io.EOF)
}

// accepts reads one value, or a part of it if that is not accepted.
func (r *bodyReader) accepts(a *acceptor, depth int) bool {
	if r.values++; r.values > bodyValuesMax {
		return false
	}
	switch r.decoder.PeekKind() {
	case jsontext.KindBeginObject:
		return depth < bodyDepthMax && a.acceptsOther("object") && r.object(a, depth)
	case jsontext.KindBeginArray:
		return depth < bodyDepthMax && a.acceptsOther("array") && r.array(a, depth)
	case jsontext.KindString:
		text, ok := r.text()
		return ok && a.acceptsText(text)
	case jsontext.KindNumber:
		number, err := r.decoder.ReadValue()
		return err == nil && a.acceptsNumber(string(number))
	case jsontext.KindTrue, jsontext.KindFalse:
		return r.token() && a.acceptsOther("boolean")
	case jsontext.KindNull:
		return r.token() && a.acceptsOther("null")
	}
	return false
}

func (r *bodyReader) token() bool {
	_, err := r.decoder.ReadToken()
	return err == nil
}

// text reads a string without NUL.
func (r *bodyReader) text() (string, bool) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return "", false
	}
	text := token.String()
	return text, !strings.ContainsRune(text, 0)
}

// object accepts no names that the schema does not have, even where it would allow them, and none twice.
func (r *bodyReader) object(a *acceptor, depth int) bool {
	if !r.token() {
		return false
	}
	var seen uint64
	for r.decoder.PeekKind() != jsontext.KindEndObject {
		name, err := r.decoder.ReadValue()
		if err != nil {
			return false
		}
		p, known := a.properties[string(name[1:len(name)-1])] // one with escapes is not found
		if !known || seen&p.bit != 0 || !r.accepts(p.acceptor, depth+1) {
			return false
		}
		seen |= p.bit
	}
	names := bits.OnesCount64(seen)
	return r.token() && seen&a.required == a.required && names >= a.minNames && names <= a.maxNames
}

func (r *bodyReader) array(a *acceptor, depth int) bool {
	if a.items == nil || !r.token() {
		return false
	}
	n := 0
	for ; r.decoder.PeekKind() != jsontext.KindEndArray; n++ {
		if !r.accepts(a.items, depth+1) {
			return false
		}
	}
	return r.token() && n >= a.minItems && n <= a.maxItems
}
