package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/pingvas/pingvas/api/gen"
)

// fieldErrorsMax is how many errors one problem lists.
const fieldErrorsMax = 20

// contract is the OpenAPI document, ready to check requests against.
type contract struct {
	operations map[string]*operation // by method and path template
	options    *openapi3filter.Options
	words      *message.Printer
}

// operation is one operation of the document.
type operation struct {
	route  *routers.Route
	public bool               // needs no key
	body   *jsonschema.Schema // nil if it takes none
	query  map[string]bool    // the query parameters; true where several values are allowed
}

func newContract(doc *openapi3.T) *contract {
	c := &contract{
		operations: map[string]*operation{},
		options: &openapi3filter.Options{
			MultiError: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			ExcludeRequestBody: true, // it would compile the schema anew for each request
		},
		words: message.NewPrinter(language.English),
	}
	bodies := newBodies(doc)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := newOperation(doc, path, item, method)
			if op.RequestBody != nil {
				o.body = bodies.schema(path, method)
			}
			c.operations[method+" "+path] = o
		}
	}
	return c
}

// documentURL stands for the OpenAPI document in references.
const documentURL = "https://pingvas.invalid/openapi.json"

// bodies compiles the schemas of request bodies where they stand in the document, so that references in them resolve.
type bodies struct{ compiler *jsonschema.Compiler }

func newBodies(doc *openapi3.T) bodies {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	text, err := doc.MarshalJSON()
	if err == nil {
		var value any
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err == nil {
			err = compiler.AddResource(documentURL, value)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("the embedded OpenAPI document cannot be read: %v", err))
	}
	return bodies{compiler}
}

func (b bodies) schema(path, method string) *jsonschema.Schema {
	escaped := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path)
	at := documentURL + "#/paths/" + escaped + "/" + strings.ToLower(method) +
		"/requestBody/content/application~1json/schema"
	schema, err := b.compiler.Compile(at)
	if err != nil {
		panic(fmt.Sprintf("a schema of the embedded OpenAPI document is wrong: %v", err))
	}
	return schema
}

func newOperation(doc *openapi3.T, path string, item *openapi3.PathItem, method string) *operation {
	op := item.GetOperation(method)
	o := &operation{
		route:  &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
		public: op.Security != nil && len(*op.Security) == 0,
		query:  map[string]bool{},
	}
	for _, list := range []openapi3.Parameters{item.Parameters, op.Parameters} {
		for _, p := range list {
			if p.Value.In == openapi3.ParameterInQuery {
				o.query[p.Value.Name] = p.Value.Schema.Value.Type.Is(openapi3.TypeArray)
			}
		}
	}
	return o
}

// check returns a refusal unless the request follows the contract. It reads the body and puts it back.
func (c *contract) check(r *http.Request, o *operation) error {
	if err := o.checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	var wrong []gen.FieldError
	if o.body != nil {
		body, err := readBody(r)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		wrong = c.checkBody(o.body, body)
	}
	err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: mux.Vars(r), Route: o.route, Options: c.options,
	})
	if err != nil {
		wrong = append(c.fields(err, ""), wrong...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return invalid(wrong[:min(len(wrong), fieldErrorsMax)]...)
}

func (c *contract) checkBody(schema *jsonschema.Schema, body []byte) []gen.FieldError {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	var found *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &found):
		return c.causes(found, "")
	}
	return []gen.FieldError{{Pointer: "", Detail: "is not JSON"}}
}

// checkQuery refuses what the validator lets pass: unknown and repeated parameters, and text that is not text.
func (o *operation) checkQuery(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return invalidField("", "the query is not well-formed")
	}
	for name, list := range values {
		many, known := o.query[name]
		switch {
		case !known:
			return invalidField(short(strings.ToValidUTF8(name, "�")), "is not a parameter of this operation")
		case len(list) > 1 && !many:
			return invalidField(name, "is given more than once")
		}
		for _, v := range list {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return invalidField(name, "holds characters that are not text")
			}
		}
	}
	return nil
}

// fields flattens what the validator found: one entry for each field or parameter at fault.
func (c *contract) fields(err error, name string) []gen.FieldError {
	var out []gen.FieldError
	switch e := err.(type) {
	case openapi3.MultiError:
		for _, inner := range e {
			out = append(out, c.fields(inner, name)...)
		}
		return out
	case *openapi3filter.RequestError:
		if e.Parameter != nil {
			name = e.Parameter.Name
		}
		if e.Err != nil {
			return c.fields(e.Err, name)
		}
		return []gen.FieldError{{Pointer: name, Detail: short(e.Reason)}}
	case *openapi3.SchemaError:
		var cause *jsonschema.ValidationError
		if errors.As(e, &cause) {
			return c.causes(cause, name)
		}
		return []gen.FieldError{{Pointer: name + pointer(e.JSONPointer()), Detail: short(e.Reason)}}
	}
	switch {
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return []gen.FieldError{{Pointer: name, Detail: "is required"}}
	case errors.Is(err, openapi3filter.ErrInvalidEmptyValue):
		return []gen.FieldError{{Pointer: name, Detail: "must not be empty"}}
	}
	return []gen.FieldError{{Pointer: name, Detail: "does not have the right form"}}
}

func (c *contract) causes(e *jsonschema.ValidationError, name string) []gen.FieldError {
	if len(e.Causes) > 0 {
		var out []gen.FieldError
		for _, cause := range e.Causes {
			out = append(out, c.causes(cause, name)...)
		}
		return out
	}
	at := name + pointer(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return fieldErrors(at, k.Properties, "is not a known field")
	case *kind.Required:
		return fieldErrors(at, k.Missing, "is required")
	case *kind.Pattern:
		return []gen.FieldError{{Pointer: at, Detail: fmt.Sprintf("must match %s", k.Want)}}
	case *kind.Format:
		return []gen.FieldError{{Pointer: at, Detail: fmt.Sprintf("is not a valid %s", k.Want)}}
	}
	return []gen.FieldError{{Pointer: at, Detail: short(e.ErrorKind.LocalizedString(c.words))}}
}

func fieldErrors(at string, names []string, detail string) []gen.FieldError {
	out := make([]gen.FieldError, len(names))
	for i, n := range names {
		out[i] = gen.FieldError{Pointer: at + pointer([]string{n}), Detail: detail}
	}
	return out
}
