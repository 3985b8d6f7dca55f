package opensearchtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
)

// doc is a document as its fields were indexed.
type doc struct {
	id      string
	version int64
	words   map[string][]token // of text
	values  map[string][]any   // of other fields: string, int64 or bool
}

type bulkAction struct {
	ID      string      `json:"_id"`
	Routing string      `json:"routing"`
	Version json.Number `json:"version"`
	Kind    string      `json:"version_type"`
}

// bulk does each write on its own.
func (s *Server) bulk(names []string, r *http.Request, body []byte) (any, error) {
	lines := bytes.Split(body, []byte("\n"))
	if len(body) == 0 || len(lines[len(lines)-1]) > 0 {
		return nil, illegal("The bulk request must be terminated by a newline [\\n]")
	}
	lines = lines[:len(lines)-1]
	if len(lines)%2 != 0 {
		return nil, illegal("Malformed action/metadata line [%d]", len(lines))
	}
	items, failed := []any{}, false
	for n := 0; n < len(lines); n += 2 {
		var action struct {
			Index *bulkAction `json:"index"`
		}
		if err := strict(lines[n], &action); err != nil || action.Index == nil {
			return nil, illegal("Malformed action/metadata line [%d]", n+1)
		}
		item := object{"_id": action.Index.ID}
		late, alias := n/2 >= len(lines)/4, r.URL.Query().Get("require_alias") == "true"
		created, err := s.put(names[0], alias, *action.Index, lines[n+1], late)
		item["status"] = map[bool]int{true: http.StatusCreated, false: http.StatusOK}[created]
		if err != nil {
			failed = true
			item["status"], item["error"] = err.status, object{"type": err.kind, "reason": err.reason}
		}
		items = append(items, object{"index": item})
	}
	return object{"took": 1, "errors": failed, "items": items}, nil
}

// put writes one document and reports whether it is a new one. It is late if it stands in the second half of its
// request.
func (s *Server) put(name string, alias bool, a bulkAction, source []byte, late bool) (bool, *apiError) {
	found := s.withAlias(name)
	switch {
	case s.met.ItemStatus != 0 && late:
		return false, refuse(s.met.ItemStatus, "rejected_execution_exception", "rejected execution of bulk")
	case s.met.Reject != "" && s.met.Reject == a.ID:
		return false, refuse(http.StatusBadRequest, "mapper_parsing_exception", "failed to parse")
	case !alias || len(found) == 0:
		return false, refuse(http.StatusNotFound, "index_not_found_exception",
			"no such index [%s] and [require_alias] request flag is [%v] and [%s] is not an alias", name, alias, name)
	case len(found) > 1:
		return false, illegal("no write index is defined for alias [%s]", name)
	}
	i := found[0]
	if a.Routing == "" && i.mappings.Routing.Required {
		return false, refuse(http.StatusBadRequest, "routing_missing_exception",
			"routing is required for [%s]/[%s]", name, a.ID)
	}
	version, err := a.Version.Int64()
	if err != nil || version < 0 || a.Kind != "external" {
		return false, illegal("the tests know external versions only, not %q of %q", a.Version, a.Kind)
	}
	fresh, failed := i.parse(a.ID, source)
	if failed != nil {
		return false, failed
	}
	fresh.version = version
	key := docKey{shard: i.shard(a.Routing), id: a.ID}
	known := i.docs[key]
	if known != nil && known.version >= version {
		return false, refuse(http.StatusConflict, "version_conflict_engine_exception",
			"[%s]: version conflict, current version [%d] is higher or equal to the one provided [%d]",
			a.ID, known.version, version)
	}
	i.docs[key] = fresh
	return known == nil, nil
}

func (i *index) shard(routing string) int {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(routing))
	return int(sum.Sum32() % uint32(max(1, i.settings.Shards)))
}

func (i *index) parse(id string, source []byte) (*doc, *apiError) {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		return nil, refuse(http.StatusBadRequest, "mapper_parsing_exception", "failed to parse: %v", err)
	}
	d := &doc{id: id, words: map[string][]token{}, values: map[string][]any{}}
	for name, value := range fields {
		f, ok := i.mappings.Properties[name]
		if !ok {
			return nil, refuse(http.StatusBadRequest, "strict_dynamic_mapping_exception",
				"mapping set to strict, dynamic introduction of [%s] within [_doc] is not allowed", name)
		}
		list, many := value.([]any)
		if !many {
			list = []any{value}
		}
		if f.Type == "text" {
			var texts []string
			for _, text := range list {
				texts = append(texts, fmt.Sprint(text))
			}
			d.words[name] = i.settings.Analysis.tokens(f.Analyzer, texts)
			continue
		}
		for _, one := range list {
			parsed, err := f.parse(one)
			if err != nil {
				return nil, refuse(http.StatusBadRequest, "mapper_parsing_exception",
					"failed to parse field [%s] of type [%s] in document with id '%s': %v", name, f.Type, id, err)
			}
			if text, ok := parsed.(string); ok && len(text) > 32766 {
				return nil, illegal("Document contains at least one immense term in field=%q", name)
			}
			d.values[name] = append(d.values[name], parsed)
		}
	}
	return d, nil
}

// bits of the types of whole numbers.
var bits = map[string]int{"byte": 8, "integer": 32, "long": 64}

// parse reads a value as the type of the field has it.
func (f field) parse(value any) (any, error) {
	switch v := value.(type) {
	case string:
		if f.Type == "keyword" {
			return v, nil
		}
	case bool:
		if f.Type == "boolean" {
			return v, nil
		}
	case json.Number:
		if size, ok := bits[f.Type]; ok {
			n, err := strconv.ParseInt(v.String(), 10, size)
			return n, err
		}
	}
	return nil, fmt.Errorf("for input string: %q", fmt.Sprint(value))
}

// lowest sorts before every value.
const lowest = math.MinInt64
