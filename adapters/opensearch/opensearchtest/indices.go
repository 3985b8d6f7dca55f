package opensearchtest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// strict decodes and refuses fields that are not known.
func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "x_content_parse_exception", "%v", err)
	}
	return nil
}

// template is what new indexes are like.
type template struct {
	Patterns []string `json:"index_patterns"`
	Priority int      `json:"priority"`
	Template struct {
		Settings struct {
			Index settings `json:"index"`
		} `json:"settings"`
		Mappings mappings `json:"mappings"`
	} `json:"template"`
}

type settings struct {
	Shards   int      `json:"number_of_shards"`
	Replicas string   `json:"auto_expand_replicas"`
	Refresh  string   `json:"refresh_interval"`
	Analysis analysis `json:"analysis"`
}

type mappings struct {
	Dynamic string `json:"dynamic"`
	Routing struct {
		Required bool `json:"required"`
	} `json:"_routing"`
	Source struct {
		Enabled bool `json:"enabled"`
	} `json:"_source"`
	Properties map[string]field `json:"properties"`
}

type field struct {
	Type     string `json:"type"`
	Index    *bool  `json:"index"`
	Values   *bool  `json:"doc_values"`
	Analyzer string `json:"analyzer"`
	Search   string `json:"search_analyzer"`
	Norms    *bool  `json:"norms"`
	Options  string `json:"index_options"`
}

func (f field) indexed() bool { return f.Index == nil || *f.Index }
func (f field) valued() bool  { return f.Type != "text" && (f.Values == nil || *f.Values) }

// index is one index. What is written is seen after a refresh.
type index struct {
	settings settings
	mappings mappings
	aliases  map[string]bool
	docs     map[docKey]*doc
	seen     map[docKey]*doc
}

// docKey: the same id in another shard is another document.
type docKey struct {
	shard int
	id    string
}

func (s *Server) putTemplate(names []string, _ *http.Request, body []byte) (any, error) {
	var t template
	if err := strict(body, &t); err != nil {
		return nil, err
	}
	if err := t.Template.Settings.Index.Analysis.check(s.plugin); err != nil {
		return nil, illegal("composable template [%s] template after composition is invalid: %v", names[0], err)
	}
	for name, f := range t.Template.Mappings.Properties {
		if err := f.check(name, t.Template.Settings.Index.Analysis); err != nil {
			return nil, err
		}
	}
	s.templates[names[0]] = t
	return object{"acknowledged": true}, nil
}

func (f field) check(name string, a analysis) error {
	if !slices.Contains([]string{"keyword", "text", "integer", "long", "byte", "boolean"}, f.Type) {
		return refuse(http.StatusBadRequest, "mapper_parsing_exception",
			"No handler for type [%s] declared on field [%s]", f.Type, name)
	}
	for _, analyzer := range []string{f.Analyzer, f.Search} {
		if _, ok := a.Analyzers[analyzer]; analyzer != "" && !ok {
			return refuse(http.StatusBadRequest, "mapper_parsing_exception",
				"analyzer [%s] has not been configured in mappings", analyzer)
		}
	}
	return nil
}

func (s *Server) deleteTemplate(names []string, _ *http.Request, _ []byte) (any, error) {
	if _, ok := s.templates[names[0]]; !ok {
		return nil, refuse(http.StatusNotFound, "index_template_missing_exception", "index_template [%s] missing", names[0])
	}
	delete(s.templates, names[0])
	return object{"acknowledged": true}, nil
}

func (s *Server) createIndex(names []string, _ *http.Request, _ []byte) (any, error) {
	name := names[0]
	switch {
	case strings.ToLower(name) != name:
		return nil, refuse(http.StatusBadRequest, "invalid_index_name_exception",
			"Invalid index name [%s], must be lowercase", name)
	case s.indices[name] != nil || len(s.withAlias(name)) > 0:
		return nil, refuse(http.StatusBadRequest, "resource_already_exists_exception", "index [%s] already exists", name)
	}
	made := &index{aliases: map[string]bool{}, docs: map[docKey]*doc{}, seen: map[docKey]*doc{}}
	best := -1
	for _, t := range s.templates {
		for _, pattern := range t.Patterns {
			if ok, _ := path.Match(pattern, name); ok && t.Priority > best {
				best, made.settings, made.mappings = t.Priority, t.Template.Settings.Index, t.Template.Mappings
			}
		}
	}
	if best < 0 {
		return nil, illegal("no template of the tests matches [%s]", name)
	}
	s.indices[name] = made
	return object{"acknowledged": true, "shards_acknowledged": true, "index": name}, nil
}

func noIndex(name string) error {
	return refuse(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", name)
}

func (s *Server) deleteIndex(names []string, _ *http.Request, _ []byte) (any, error) {
	if s.indices[names[0]] == nil {
		return nil, noIndex(names[0])
	}
	delete(s.indices, names[0])
	return object{"acknowledged": true}, nil
}

func (s *Server) names() []string { return slices.Sorted(maps.Keys(s.indices)) }

// withAlias returns the indexes that have an alias.
func (s *Server) withAlias(alias string) []*index {
	var all []*index
	for _, name := range s.names() {
		if s.indices[name].aliases[alias] {
			all = append(all, s.indices[name])
		}
	}
	return all
}

// resolve returns the indexes that a name means.
func (s *Server) resolve(name string) ([]*index, error) {
	if i := s.indices[name]; i != nil {
		return []*index{i}, nil
	}
	if all := s.withAlias(name); len(all) > 0 {
		return all, nil
	}
	return nil, noIndex(name)
}

func (s *Server) getAliases(names []string, _ *http.Request, _ []byte) (any, error) {
	found := object{}
	for _, name := range s.names() {
		if ok, _ := path.Match(names[0], name); ok {
			aliases := object{}
			for alias := range s.indices[name].aliases {
				aliases[alias] = object{}
			}
			found[name] = object{"aliases": aliases}
		}
	}
	if len(found) == 0 && !strings.Contains(names[0], "*") {
		return nil, noIndex(names[0])
	}
	return found, nil
}

type aliasTarget struct {
	Index string `json:"index"`
	Alias string `json:"alias"`
}

// updateAliases does all of the actions or none.
func (s *Server) updateAliases(_ []string, _ *http.Request, body []byte) (any, error) {
	var ask struct {
		Actions []struct {
			Add    *aliasTarget `json:"add"`
			Remove *aliasTarget `json:"remove"`
		} `json:"actions"`
	}
	if err := strict(body, &ask); err != nil {
		return nil, err
	}
	for _, a := range ask.Actions {
		switch {
		case (a.Add == nil) == (a.Remove == nil):
			return nil, illegal("an action must be one of add and remove")
		case a.Add != nil && s.indices[a.Add.Index] == nil:
			return nil, noIndex(a.Add.Index)
		case a.Add != nil && s.indices[a.Add.Alias] != nil:
			return nil, illegal("an index exists with the same name as the alias [%s]", a.Add.Alias)
		case a.Remove != nil && s.indices[a.Remove.Index] == nil:
			return nil, noIndex(a.Remove.Index)
		case a.Remove != nil && !s.indices[a.Remove.Index].aliases[a.Remove.Alias]:
			return nil, refuse(http.StatusNotFound, "aliases_not_found_exception", "aliases [%s] missing", a.Remove.Alias)
		}
	}
	for _, a := range ask.Actions {
		if a.Add != nil {
			s.indices[a.Add.Index].aliases[a.Add.Alias] = true
		} else {
			delete(s.indices[a.Remove.Index].aliases, a.Remove.Alias)
		}
	}
	return object{"acknowledged": true}, nil
}

func (s *Server) refresh(names []string, _ *http.Request, _ []byte) (any, error) {
	all, err := s.resolve(names[0])
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		i.seen = maps.Clone(i.docs)
	}
	return object{"_shards": object{"total": len(all), "successful": len(all), "failed": 0}}, nil
}

// Rename gives an index the name that another version of the program would have given it.
func (s *Server) Rename(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.indices[to] = s.indices[from]
	delete(s.indices, from)
}
