package api

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schema is a compiled schema. Nearly all requests are right, and for those the validator's work is wasted: it keeps a
// trail for errors that it does not find and computes with exact fractions. So an acceptor is asked first, which is
// thirty times as fast and can only say yes; whatever it does not accept is the validator's to judge.
type schema struct {
	accept *acceptor // nil if the schema has a keyword that an acceptor does not know
	full   *jsonschema.Schema
}

func newSchema(full *jsonschema.Schema) *schema {
	return &schema{accept: newAcceptor(full, 0), full: full}
}

// validate returns a *jsonschema.ValidationError unless the value, as readJSON returns it, is valid.
func (s *schema) validate(value any) error {
	if s.accept.accepts(value) {
		return nil
	}
	return s.full.Validate(value)
}

// acceptor knows the keywords that the contract uses of requests. Zero values stand for keywords that are not there.
type acceptor struct {
	types                []string
	enum                 []string
	format               func(any) error
	properties           map[string]property
	required             uint64 // the numbers of properties that must be there, as bits
	minNames, maxNames   int    // of an object
	items                *acceptor
	minItems, maxItems   int
	minLength, maxLength int // in runes
	pattern              jsonschema.Regexp
	min, max             float64
}

// property is one property of an object, with a bit of its own.
type property struct {
	*acceptor
	bit uint64
}

const (
	// acceptorDepthMax bounds the references that are followed, which may lead in circles.
	acceptorDepthMax = 16
	// acceptorPropertiesMax is how many properties an object may have, one for each bit.
	acceptorPropertiesMax = 64
)

// referenceKeywords are the fields of a schema that an acceptor knows beside a reference, acceptorKeywords those that
// it knows elsewhere. Some do not restrict a value.
var (
	referenceKeywords = []string{
		"DraftVersion", "Location", "Ref",
		"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
	}
	acceptorKeywords = append([]string{
		"Types", "Enum", "Format", "Required", "Properties", "AdditionalProperties", "MinProperties", "MaxProperties",
		"Items2020", "MinItems", "MaxItems", "MinLength", "MaxLength", "Pattern", "Minimum", "Maximum",
	}, referenceKeywords...)
)

// newAcceptor returns nil for a schema that it does not understand whole.
func newAcceptor(s *jsonschema.Schema, depth int) *acceptor {
	if depth > acceptorDepthMax || !understood(s) {
		return nil
	}
	if s.Ref != nil {
		return newAcceptor(s.Ref, depth+1)
	}
	a := &acceptor{
		pattern:  s.Pattern,
		minItems: or(s.MinItems), maxItems: most(s.MaxItems), minLength: or(s.MinLength), maxLength: most(s.MaxLength),
		minNames: or(s.MinProperties), maxNames: most(s.MaxProperties),
	}
	if s.Types != nil {
		a.types = s.Types.ToStrings()
	}
	if s.Format != nil {
		a.format = s.Format.Validate
	}
	whole := a.bound(s) && a.list(s.Enum) && a.object(s, depth)
	if s.Items2020 != nil {
		a.items = newAcceptor(s.Items2020, depth+1)
		whole = whole && a.items != nil
	}
	if !whole {
		return nil
	}
	return a
}

// object takes over the properties of an object, and which of them must be there.
func (a *acceptor) object(s *jsonschema.Schema, depth int) bool {
	a.properties = make(map[string]property, len(s.Properties))
	for name, of := range s.Properties {
		p := property{newAcceptor(of, depth+1), 1 << len(a.properties)}
		if p.acceptor == nil {
			return false
		}
		a.properties[name] = p
	}
	for _, name := range s.Required {
		p, known := a.properties[name]
		if !known {
			return false
		}
		a.required |= p.bit
	}
	return len(a.properties) <= acceptorPropertiesMax
}

// most returns an upper bound, which may be missing.
func most(bound *int) int {
	if bound == nil {
		return math.MaxInt
	}
	return *bound
}

// understood reports whether the schema has no other keywords than those an acceptor knows, and none that restricts a
// value beside a reference.
func understood(s *jsonschema.Schema) bool {
	known := acceptorKeywords
	if s.Ref != nil {
		known = referenceKeywords
	}
	v := reflect.ValueOf(s).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.IsExported() && !v.FieldByIndex(f.Index).IsZero() && !slices.Contains(known, f.Name) {
			return false
		}
	}
	switch s.AdditionalProperties.(type) {
	case nil, bool:
		return true
	}
	return false
}

// bound takes over minimum and maximum if floating point holds them exactly.
func (a *acceptor) bound(s *jsonschema.Schema) bool {
	exact := func(r *big.Rat, none float64) (float64, bool) {
		if r == nil {
			return none, true
		}
		return r.Float64()
	}
	var minExact, maxExact bool
	a.min, minExact = exact(s.Minimum, math.Inf(-1))
	a.max, maxExact = exact(s.Maximum, math.Inf(1))
	return minExact && maxExact
}

// list takes over an enumeration of strings.
func (a *acceptor) list(enum *jsonschema.Enum) bool {
	if enum == nil {
		return true
	}
	for _, value := range enum.Values {
		text, ok := value.(string)
		if !ok {
			return false
		}
		a.enum = append(a.enum, text)
	}
	return true
}

// accepts reports whether the value of a parameter is certainly valid.
func (a *acceptor) accepts(value any) bool {
	if a == nil {
		return false
	}
	switch value := value.(type) {
	case string:
		return a.acceptsText(value)
	case json.Number:
		return a.acceptsNumber(string(value))
	case bool:
		return a.acceptsOther("boolean")
	case []any:
		return a.acceptsOther("array") && len(value) >= a.minItems && len(value) <= a.maxItems &&
			(a.items == nil || !slices.ContainsFunc(value, func(item any) bool { return !a.items.accepts(item) }))
	}
	return false
}

func (a *acceptor) is(kind string) bool { return len(a.types) == 0 || slices.Contains(a.types, kind) }

// acceptsOther reports whether the value may be of this type, which is neither a string nor a number.
func (a *acceptor) acceptsOther(kind string) bool {
	return a.is(kind) && len(a.enum) == 0 && a.format == nil
}

func (a *acceptor) acceptsText(text string) bool {
	if !a.is("string") || len(a.enum) > 0 && !slices.Contains(a.enum, text) {
		return false
	}
	if a.minLength > 0 || a.maxLength < len(text) { // there are no more runes than bytes
		if n := utf8.RuneCountInString(text); n < a.minLength || n > a.maxLength {
			return false
		}
	}
	return (a.pattern == nil || a.pattern.MatchString(text)) && (a.format == nil || a.format(text) == nil)
}

// exactDigits is how many decimal digits of an integer floating point holds exactly.
const exactDigits = 15

// acceptsNumber takes integers inclusive of the bounds, as they are exact, and other numbers strictly between them.
func (a *acceptor) acceptsNumber(text string) bool {
	if len(a.enum) > 0 || a.format != nil {
		return false
	}
	if len(text) <= exactDigits {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return (a.is("integer") || a.is("number")) && float64(n) >= a.min && float64(n) <= a.max
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	return err == nil && a.is("number") && x > a.min && x < a.max
}
