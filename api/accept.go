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

// acceptor knows the keywords that the contract uses. Zero values stand for keywords that are not there.
type acceptor struct {
	all                  []*acceptor // those of $ref and allOf
	types                []string
	enum                 []string
	format               func(any) error
	required             []string
	properties           map[string]*acceptor
	closed               bool // additionalProperties: false
	minNames, maxNames   int  // of an object
	items                *acceptor
	minItems, maxItems   int
	minLength, maxLength int // in runes
	pattern              jsonschema.Regexp
	min, max             float64
}

// acceptorDepthMax bounds the references that are followed, which may lead in circles.
const acceptorDepthMax = 16

// acceptorKeywords are the fields of a schema that an acceptor knows, or that do not restrict a value.
var acceptorKeywords = []string{
	"DraftVersion", "Location", "Ref", "AllOf", "Types", "Enum", "Format", "Required", "Properties",
	"AdditionalProperties", "MinProperties", "MaxProperties", "Items2020", "MinItems", "MaxItems", "MinLength",
	"MaxLength", "Pattern", "Minimum", "Maximum",
	"Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
}

// newAcceptor returns nil for a schema that it does not understand whole.
func newAcceptor(s *jsonschema.Schema, depth int) *acceptor {
	if depth > acceptorDepthMax || !understood(s) {
		return nil
	}
	a := &acceptor{
		required: s.Required, pattern: s.Pattern, closed: s.AdditionalProperties == false,
		minItems: or(s.MinItems), maxItems: most(s.MaxItems), minLength: or(s.MinLength), maxLength: most(s.MaxLength),
		minNames: or(s.MinProperties), maxNames: most(s.MaxProperties),
		properties: make(map[string]*acceptor, len(s.Properties)),
	}
	if s.Types != nil {
		a.types = s.Types.ToStrings()
	}
	if s.Format != nil {
		a.format = s.Format.Validate
	}
	whole := a.bound(s) && a.list(s.Enum)
	for name, property := range s.Properties {
		a.properties[name] = newAcceptor(property, depth+1)
		whole = whole && a.properties[name] != nil
	}
	if s.Items2020 != nil {
		a.items = newAcceptor(s.Items2020, depth+1)
		whole = whole && a.items != nil
	}
	for _, part := range parts(s) {
		a.all = append(a.all, newAcceptor(part, depth+1))
		whole = whole && a.all[len(a.all)-1] != nil
	}
	if !whole {
		return nil
	}
	return a
}

// most returns an upper bound, which may be missing.
func most(bound *int) int {
	if bound == nil {
		return math.MaxInt
	}
	return *bound
}

// understood reports whether the schema has no other keywords than those an acceptor knows.
func understood(s *jsonschema.Schema) bool {
	v := reflect.ValueOf(s).Elem()
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.IsExported() && !v.FieldByIndex(f.Index).IsZero() && !slices.Contains(acceptorKeywords, f.Name) {
			return false
		}
	}
	switch s.AdditionalProperties.(type) {
	case nil, bool:
		return true
	}
	return false
}

func parts(s *jsonschema.Schema) []*jsonschema.Schema {
	if s.Ref == nil {
		return s.AllOf
	}
	return append(slices.Clone(s.AllOf), s.Ref)
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

// accepts reports whether the value is certainly valid.
func (a *acceptor) accepts(value any) bool {
	if a == nil || a.format != nil && a.format(value) != nil {
		return false
	}
	for _, part := range a.all {
		if !part.accepts(value) {
			return false
		}
	}
	text, isText := value.(string)
	if len(a.enum) > 0 && (!isText || !slices.Contains(a.enum, text)) {
		return false
	}
	switch value := value.(type) {
	case string:
		return a.is("string") && a.acceptsText(value)
	case json.Number:
		return a.acceptsNumber(string(value))
	case map[string]any:
		return a.is("object") && a.acceptsObject(value)
	case []any:
		return a.is("array") && a.acceptsArray(value)
	case bool:
		return a.is("boolean")
	}
	return a.is("null")
}

func (a *acceptor) is(kind string) bool { return len(a.types) == 0 || slices.Contains(a.types, kind) }

func (a *acceptor) acceptsText(text string) bool {
	if a.minLength > 0 || a.maxLength < len(text) { // there are no more runes than bytes
		if n := utf8.RuneCountInString(text); n < a.minLength || n > a.maxLength {
			return false
		}
	}
	return a.pattern == nil || a.pattern.MatchString(text)
}

// exactDigits is how many decimal digits of an integer floating point holds exactly.
const exactDigits = 15

// acceptsNumber takes integers inclusive of the bounds, as they are exact, and other numbers strictly between them.
func (a *acceptor) acceptsNumber(text string) bool {
	if len(text) <= exactDigits {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return (a.is("integer") || a.is("number")) && float64(n) >= a.min && float64(n) <= a.max
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	return err == nil && a.is("number") && x > a.min && x < a.max
}

func (a *acceptor) acceptsObject(object map[string]any) bool {
	if len(object) < a.minNames || len(object) > a.maxNames {
		return false
	}
	for _, name := range a.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, value := range object {
		property, known := a.properties[name]
		if !known && a.closed || known && !property.accepts(value) {
			return false
		}
	}
	return true
}

func (a *acceptor) acceptsArray(array []any) bool {
	if len(array) < a.minItems || len(array) > a.maxItems {
		return false
	}
	for _, value := range array {
		if a.items != nil && !a.items.accepts(value) {
			return false
		}
	}
	return true
}
