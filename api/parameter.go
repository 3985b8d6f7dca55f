package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"github.com/pingvas/pingvas/api/gen"
)

// parameter is one parameter of an operation.
type parameter struct {
	name, in string
	required bool
	many     bool // several values are allowed; they are checked as an array
	read     func(string) (any, bool)
	schema   *schema
}

// parameters compiles a list of parameters that stands below a JSON pointer of the document.
func (s schemas) parameters(at string, list openapi3.Parameters) []parameter {
	var out []parameter
	for i, p := range list {
		where := p.Ref
		if where == "" {
			where = at + "/parameters/" + strconv.Itoa(i)
		}
		kind := p.Value.Schema.Value
		many := kind.Type.Is(openapi3.TypeArray)
		if many {
			kind = kind.Items.Value
		}
		out = append(out, parameter{
			name: p.Value.Name, in: p.Value.In, required: p.Value.Required, many: many, read: readerOf(kind),
			schema: s.at(where + "/schema"),
		})
	}
	return out
}

// readerOf returns how a value of a simple type is read from its text.
func readerOf(kind *openapi3.Schema) func(string) (any, bool) {
	switch {
	case kind.Type.Is(openapi3.TypeInteger):
		return func(text string) (any, bool) {
			n, err := strconv.ParseInt(text, 10, 64)
			return json.Number(strconv.FormatInt(n, 10)), err == nil
		}
	case kind.Type.Is(openapi3.TypeBoolean):
		return func(text string) (any, bool) { return text == "true", text == "true" || text == "false" }
	}
	return func(text string) (any, bool) { return text, true }
}

// checkParameters returns what is wrong with the parameters, or a refusal of a query that is not one.
func (c *contract) checkParameters(r *http.Request, o *operation) ([]gen.FieldError, error) {
	query, err := o.query(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	var wrong []gen.FieldError
	for i := range o.parameters {
		p := &o.parameters[i]
		wrong = append(wrong, c.checkParameter(p, p.values(r, query))...)
	}
	return wrong, nil
}

// values returns what the request gives for the parameter. Of a header that is given more than once the first counts.
func (p *parameter) values(r *http.Request, query url.Values) []string {
	switch p.in {
	case openapi3.ParameterInPath:
		return []string{mux.Vars(r)[p.name]}
	case openapi3.ParameterInHeader:
		values := r.Header.Values(p.name)
		return values[:min(1, len(values))]
	}
	return query[p.name]
}

func (c *contract) checkParameter(p *parameter, values []string) []gen.FieldError {
	if len(values) == 0 {
		if p.required {
			return []gen.FieldError{{Pointer: p.name, Detail: "is required"}}
		}
		return nil
	}
	value, ok := p.value(values)
	if !ok {
		return []gen.FieldError{{Pointer: p.name, Detail: "does not have the right form"}}
	}
	return c.fields(p.schema.validate(value), p.name)
}

// value returns what the schema is asked about: the one value, or all of them where several are allowed.
func (p *parameter) value(values []string) (any, bool) {
	if !p.many {
		return p.read(values[0])
	}
	all := make([]any, len(values))
	for i, text := range values {
		var ok bool
		if all[i], ok = p.read(text); !ok {
			return nil, false
		}
	}
	return all, true
}

// query reads a query, and refuses unknown and repeated parameters and text that is not text.
func (o *operation) query(raw string) (url.Values, error) {
	if raw == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalidField("", "the query is not well-formed")
	}
	for name, list := range values {
		p := o.queryParameter(name)
		switch {
		case p == nil:
			return nil, invalidField(short(strings.ToValidUTF8(name, "�")), "is not a parameter of this operation")
		case len(list) > 1 && !p.many:
			return nil, invalidField(name, "is given more than once")
		}
		for _, v := range list {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return nil, invalidField(name, "holds characters that are not text")
			}
		}
	}
	return values, nil
}

func (o *operation) queryParameter(name string) *parameter {
	for i := range o.parameters {
		if p := &o.parameters[i]; p.in == openapi3.ParameterInQuery && p.name == name {
			return p
		}
	}
	return nil
}
