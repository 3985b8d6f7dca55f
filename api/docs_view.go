package api

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// docsView is the OpenAPI document as the page shows it.
type docsView struct {
	Title, Summary, Description string
	Groups                      []groupView
	Schemas                     []schemaView
	Problems                    []Kind
}

type groupView struct {
	Name       string
	Operations []operationView
}

type operationView struct {
	ID, Method, Path, Summary, Description string
	Public                                 bool
	Parameters                             []fieldView
	Body                                   *typeView
	Answers                                []answerView
}

type fieldView struct {
	Name, In, Description string
	Required              bool
	Type                  typeView
}

type answerView struct {
	Status, Description string // without a status it is a problem
	Type                *typeView
}

type schemaView struct {
	Name, Description string
	Fields            []fieldView
	Type              typeView // where there are no fields
}

// typeView is a type in words, with a link to a schema inside.
type typeView struct{ Before, Schema, After string }

func viewDocs(doc *openapi3.T) docsView {
	v := docsView{
		Title: doc.Info.Title, Summary: doc.Info.Summary, Description: doc.Info.Description, Problems: Kinds(),
	}
	for _, tag := range doc.Tags {
		v.Groups = append(v.Groups, groupView{Name: tag.Name, Operations: viewOperations(doc, tag.Name)})
	}
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		v.Schemas = append(v.Schemas, viewSchema(name, doc.Components.Schemas[name].Value))
	}
	return v
}

func viewOperations(doc *openapi3.T, tag string) []operationView {
	var out []operationView
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if !slices.Contains(op.Tags, tag) {
				continue
			}
			view := operationView{
				ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description,
				Public: op.Security != nil && len(*op.Security) == 0, Answers: viewAnswers(op),
			}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				view.Parameters = append(view.Parameters, fieldView{
					Name: p.Value.Name, In: p.Value.In, Description: p.Value.Description, Required: p.Value.Required,
					Type: viewType(p.Value.Schema),
				})
			}
			if op.RequestBody != nil {
				body := viewType(op.RequestBody.Value.Content.Get("application/json").Schema)
				view.Body = &body
			}
			out = append(out, view)
		}
	}
	slices.SortFunc(out, func(a, b operationView) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

func viewAnswers(op *openapi3.Operation) []answerView {
	var out []answerView
	responses := op.Responses.Map()
	for _, status := range slices.Sorted(maps.Keys(responses)) {
		answer := answerView{Status: status, Description: or(responses[status].Value.Description)}
		if status == "default" {
			answer.Status = ""
		}
		for _, content := range responses[status].Value.Content {
			shown := viewType(content.Schema)
			answer.Type = &shown
		}
		out = append(out, answer)
	}
	return out
}

func viewSchema(name string, s *openapi3.Schema) schemaView {
	view := schemaView{Name: name, Description: s.Description, Type: viewType(openapi3.NewSchemaRef("", s))}
	parts := []*openapi3.Schema{s}
	for _, part := range s.AllOf {
		parts = append(parts, part.Value)
	}
	for _, part := range parts {
		for _, field := range slices.Sorted(maps.Keys(part.Properties)) {
			view.Fields = append(view.Fields, fieldView{
				Name: field, Description: part.Properties[field].Value.Description,
				Required: slices.Contains(part.Required, field), Type: viewType(part.Properties[field]),
			})
		}
	}
	return view
}

func viewType(ref *openapi3.SchemaRef) typeView {
	if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
		return typeView{Schema: name}
	}
	s := ref.Value
	if s.Type.Is(openapi3.TypeArray) {
		items := viewType(s.Items)
		items.Before = "list of " + items.Before
		return items
	}
	if len(s.AllOf) == 1 {
		return viewType(s.AllOf[0])
	}
	return typeView{Before: strings.Join(s.Type.Slice(), " or "), After: strings.Join(limitsOf(s), ", ")}
}

func limitsOf(s *openapi3.Schema) []string {
	var out []string
	if s.Format != "" {
		out = append(out, s.Format)
	}
	if len(s.Enum) > 0 {
		out = append(out, "one of "+strings.Trim(fmt.Sprint(s.Enum), "[]"))
	}
	if s.Pattern != "" {
		out = append(out, "like "+s.Pattern)
	}
	if s.Min != nil {
		out = append(out, fmt.Sprintf("from %.0f", *s.Min))
	}
	if s.Max != nil {
		out = append(out, fmt.Sprintf("to %.0f", *s.Max))
	}
	if s.MaxLength != nil {
		out = append(out, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.Default != nil {
		out = append(out, fmt.Sprintf("default %v", s.Default))
	}
	return out
}
