package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/pingvas/pingvas/api/gen"
)

// fieldErrorsMax is how many errors one problem lists.
const fieldErrorsMax = 20

// contract is the OpenAPI document, ready to check requests against: every schema is compiled once.
type contract struct {
	operations map[string]*operation // by method and path template
	words      *message.Printer
}

// operation is one operation of the document.
type operation struct {
	public     bool    // needs no key
	body       *schema // nil if it takes none
	parameters []parameter
}

func newContract(doc *openapi3.T) *contract {
	c := &contract{operations: map[string]*operation{}, words: message.NewPrinter(language.English)}
	all := newSchemas(doc)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			c.operations[method+" "+path] = all.operation(path, item.Parameters, method, op)
		}
	}
	return c
}

// operation returns the operation that a route answers.
func (c *contract) operation(route *mux.Route) (*operation, error) {
	template, err := route.GetPathTemplate()
	if err != nil {
		return nil, err
	}
	methods, err := route.GetMethods()
	if err != nil {
		return nil, err
	}
	if len(methods) == 1 {
		if op := c.operations[methods[0]+" "+template]; op != nil {
			return op, nil
		}
	}
	return nil, fmt.Errorf("%v %s is no operation of the contract", methods, template)
}

// documentURL stands for the OpenAPI document in references.
const documentURL = "https://pingvas.invalid/openapi.json"

// schemas compiles schemas where they stand in the document, so that references in them resolve.
type schemas struct{ compiler *jsonschema.Compiler }

func newSchemas(doc *openapi3.T) schemas {
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
	return schemas{compiler}
}

// at compiles the schema at a JSON pointer of the document.
func (s schemas) at(pointer string) *schema {
	full, err := s.compiler.Compile(documentURL + pointer)
	if err != nil {
		panic(fmt.Sprintf("a schema of the embedded OpenAPI document is wrong: %v", err))
	}
	return newSchema(full)
}

func (s schemas) operation(path string, shared openapi3.Parameters, method string, op *openapi3.Operation) *operation {
	o := &operation{public: op.Security != nil && len(*op.Security) == 0}
	item := "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path)
	at := item + "/" + strings.ToLower(method)
	if op.RequestBody != nil {
		o.body = s.at(at + "/requestBody/content/application~1json/schema")
	}
	o.parameters = append(s.parameters(item, shared), s.parameters(at, op.Parameters)...)
	return o
}

// check returns a refusal unless the request follows the contract. It reads the body and puts it back.
func (c *contract) check(r *http.Request, o *operation) error {
	wrong, err := c.checkParameters(r, o)
	if err != nil {
		return err
	}
	if o.body != nil {
		more, err := c.checkBody(r, o.body)
		if err != nil {
			return err
		}
		wrong = append(wrong, more...)
	}
	if len(wrong) == 0 {
		return nil
	}
	return invalid(wrong[:min(len(wrong), fieldErrorsMax)]...)
}

// checkBody returns what is wrong with a body, or a refusal of one that is not JSON.
func (c *contract) checkBody(r *http.Request, s *schema) ([]gen.FieldError, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	r.Body = newBodyAgain(body)
	if s.accept.acceptsBody(body) {
		return nil, nil
	}
	value, err := readJSON(body)
	if err != nil {
		return nil, err
	}
	return c.fields(s.full.Validate(value), ""), nil
}

// fields flattens what the validator found: one entry for each field or parameter at fault.
func (c *contract) fields(err error, name string) []gen.FieldError {
	if err == nil {
		return nil
	}
	var found *jsonschema.ValidationError
	if errors.As(err, &found) {
		return c.causes(found, name)
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
