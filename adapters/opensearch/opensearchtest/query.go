package opensearchtest

import (
	"encoding/json"
	"slices"
)

// matches reports whether a document matches a query. It looks at all of the query, so that what is wrong with it is
// told whatever the document is.
func (i *index) matches(d *doc, query json.RawMessage) (bool, error) {
	var clause map[string]json.RawMessage
	if err := strict(query, &clause); err != nil {
		return false, err
	}
	if len(clause) != 1 {
		return false, parsing("of several kinds")
	}
	for kind, text := range clause {
		switch kind {
		case "bool":
			return i.boolean(d, text)
		case "term":
			return i.term(d, text)
		case "range":
			return i.between(d, text)
		case "match_phrase":
			return i.phrase(d, text)
		case "match_none":
			return false, strict(text, &struct{}{})
		default:
			return false, parsing(kind)
		}
	}
	return false, nil
}

func (i *index) boolean(d *doc, text json.RawMessage) (bool, error) {
	var b struct {
		Filter []json.RawMessage `json:"filter"`
		Should []json.RawMessage `json:"should"`
		Least  int               `json:"minimum_should_match"`
	}
	if err := strict(text, &b); err != nil {
		return false, err
	}
	matched, should := true, 0
	for _, clause := range b.Filter {
		ok, err := i.matches(d, clause)
		if err != nil {
			return false, err
		}
		matched = matched && ok
	}
	for _, clause := range b.Should {
		ok, err := i.matches(d, clause)
		if err != nil {
			return false, err
		}
		if ok {
			should++
		}
	}
	return matched && should >= b.Least, nil
}

// only returns the one field of a clause and its body.
func (i *index) only(text json.RawMessage, into any) (string, field, error) {
	var clause map[string]json.RawMessage
	if err := strict(text, &clause); err != nil {
		return "", field{}, err
	}
	for name, body := range clause {
		if len(clause) != 1 {
			break
		}
		f, ok := i.mappings.Properties[name]
		if ok && !f.indexed() {
			return "", f, illegal("Cannot search on field [%s] since it is not indexed.", name)
		}
		return name, f, strict(body, into)
	}
	return "", field{}, illegal("a query of %d fields", len(clause))
}

func (i *index) term(d *doc, text json.RawMessage) (bool, error) {
	var ask struct {
		Value any `json:"value"`
	}
	name, f, err := i.only(text, &ask)
	if err != nil || f.Type == "" {
		return false, err // an unknown field matches nothing
	}
	if f.Type == "text" {
		return slices.ContainsFunc(d.words[name], func(t token) bool { return t.text == ask.Value }), nil
	}
	value, err := f.parse(ask.Value)
	if err != nil {
		return false, illegal("failed to create query: %v", err)
	}
	return slices.Contains(d.values[name], value), nil
}

func (i *index) between(d *doc, text json.RawMessage) (bool, error) {
	var ask struct {
		From *int64 `json:"gte"`
		To   *int64 `json:"lt"`
	}
	name, _, err := i.only(text, &ask)
	if err != nil || len(d.values[name]) == 0 {
		return false, err
	}
	value, ok := d.values[name][0].(int64)
	return ok && (ask.From == nil || value >= *ask.From) && (ask.To == nil || value < *ask.To), nil
}

// phrase looks for words in the places that they have in the question.
func (i *index) phrase(d *doc, text json.RawMessage) (bool, error) {
	var ask struct {
		Query string `json:"query"`
	}
	name, f, err := i.only(text, &ask)
	if err != nil || f.Type == "" {
		return false, err
	}
	if f.Type != "text" || f.Options != "positions" {
		return false, illegal("field [%s] was indexed without position data; cannot run PhraseQuery", name)
	}
	cut := f.Search
	if cut == "" {
		cut = f.Analyzer
	}
	asked := i.settings.Analysis.tokens(cut, []string{ask.Query})
	if len(asked) == 0 {
		return false, nil
	}
	for _, first := range d.words[name] {
		start := first.at - asked[0].at
		missing := func(t token) bool { return !slices.Contains(d.words[name], token{text: t.text, at: start + t.at}) }
		if first.text == asked[0].text && !slices.ContainsFunc(asked, missing) {
			return true, nil
		}
	}
	return false, nil
}
