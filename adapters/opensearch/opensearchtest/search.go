package opensearchtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// windowMax is index.max_result_window.
const windowMax = 10_000

// question is what can be asked of a search.
type question struct {
	Query json.RawMessage `json:"query"`
	Sort  []map[string]struct {
		Order string `json:"order"`
	} `json:"sort"`
	After   []any                      `json:"search_after"`
	Size    int                        `json:"size"`
	Total   bool                       `json:"track_total_hits"`
	Source  bool                       `json:"_source"`
	Timeout string                     `json:"timeout"`
	Aggs    map[string]json.RawMessage `json:"aggs"`
}

func (s *Server) search(names []string, r *http.Request, body []byte) (any, error) {
	found, err := s.resolve(names[0])
	if err != nil {
		return nil, err
	}
	if len(found) != 1 || !slices.Equal([]string{r.URL.Query().Get("allow_partial_search_results")}, []string{"false"}) {
		return nil, illegal("the tests search one whole index, not %d", len(found))
	}
	var q question
	if err := strict(body, &q); err != nil {
		return nil, err
	}
	if _, err := time.ParseDuration(q.Timeout); err != nil || q.Size > windowMax {
		return nil, illegal("Result window is too large: [%d], or the timeout is wrong: [%s]", q.Size, q.Timeout)
	}
	i := found[0]
	routing := r.URL.Query().Get("routing")
	var hits []*doc
	for _, key := range slices.SortedFunc(maps.Keys(i.seen), func(a, b docKey) int { return cmp.Compare(a.id, b.id) }) {
		if routing != "" && key.shard != i.shard(routing) {
			continue
		}
		ok, err := i.matches(i.seen[key], q.Query)
		if err != nil {
			return nil, err
		}
		if ok {
			hits = append(hits, i.seen[key])
		}
	}
	// Without any document a real server looks at the query, too.
	if _, err := i.matches(&doc{}, q.Query); err != nil {
		return nil, err
	}
	return s.answer(i, q, hits)
}

func (s *Server) answer(i *index, q question, hits []*doc) (any, error) {
	aggregations, err := i.aggregate(q.Aggs, hits)
	if err != nil {
		return nil, err
	}
	total := len(hits)
	if hits, err = i.sorted(q, hits); err != nil {
		return nil, err
	}
	list := []any{}
	for _, d := range hits[:min(q.Size, len(hits))] {
		list = append(list, object{"_id": d.id, "_score": nil, "sort": i.keys(q, d)})
	}
	answer := object{
		"took": 1, "timed_out": s.met.TimedOut,
		"_shards": object{"total": 1, "successful": 1 - min(1, s.met.Failed), "skipped": 0, "failed": s.met.Failed},
		"hits":    object{"hits": list, "max_score": nil},
	}
	if q.Total {
		answer["hits"].(object)["total"] = object{"value": total, "relation": "eq"}
	}
	if aggregations != nil {
		answer["aggregations"] = aggregations
	}
	return answer, nil
}

// sorted returns the hits in order, from the place that was asked for.
func (i *index) sorted(q question, hits []*doc) ([]*doc, error) {
	var after []any
	for n, by := range q.Sort {
		for name, how := range by {
			f, ok := i.mappings.Properties[name]
			if !ok || !f.valued() || len(by) != 1 {
				return nil, illegal("Can't load fielddata on [%s]", name)
			}
			if how.Order != "asc" && how.Order != "desc" {
				return nil, illegal("Unknown SortOrder [%s]", how.Order)
			}
			if len(q.After) > 0 {
				if len(q.After) != len(q.Sort) {
					return nil, illegal("search_after has %d value(s) but sort has %d.", len(q.After), len(q.Sort))
				}
				value, err := f.parse(q.After[n])
				if err != nil {
					return nil, illegal("Failed to parse search_after value for field [%s].", name)
				}
				after = append(after, value)
			}
		}
	}
	slices.SortStableFunc(hits, func(a, b *doc) int { return q.compare(i.keys(q, a), i.keys(q, b)) })
	for len(after) > 0 && len(hits) > 0 && q.compare(i.keys(q, hits[0]), after) <= 0 {
		hits = hits[1:]
	}
	return hits, nil
}

// keys are the values that a document is sorted by.
func (i *index) keys(q question, d *doc) []any {
	keys := make([]any, 0, len(q.Sort))
	for _, by := range q.Sort {
		for name := range by {
			if values := d.values[name]; len(values) > 0 {
				keys = append(keys, values[0])
			} else {
				keys = append(keys, int64(lowest))
			}
		}
	}
	return keys
}

func (q question) compare(a, b []any) int {
	for n, by := range q.Sort {
		for _, how := range by {
			c := compare(a[n], b[n])
			if how.Order == "desc" {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
	}
	return 0
}

func compare(a, b any) int {
	if text, ok := a.(string); ok {
		other, _ := b.(string)
		return strings.Compare(text, other)
	}
	x, _ := a.(int64)
	y, _ := b.(int64)
	return cmp.Compare(x, y)
}

// aggregate counts what the hits have.
func (i *index) aggregate(asked map[string]json.RawMessage, hits []*doc) (object, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	all := object{}
	for name, text := range asked {
		var one struct {
			Terms *struct {
				Field string `json:"field"`
				Size  int    `json:"size"`
			} `json:"terms"`
			Filter json.RawMessage `json:"filter"`
		}
		if err := strict(text, &one); err != nil {
			return nil, err
		}
		if one.Terms == nil {
			count := 0
			for _, d := range hits {
				ok, err := i.matches(d, one.Filter)
				if err != nil {
					return nil, err
				}
				if ok {
					count++
				}
			}
			all[name] = object{"doc_count": count}
			continue
		}
		f, ok := i.mappings.Properties[one.Terms.Field]
		if !ok || !f.valued() || one.Terms.Size < 1 {
			return nil, illegal("Can't load fielddata on [%s]", one.Terms.Field)
		}
		all[name] = object{"buckets": buckets(one.Terms.Field, one.Terms.Size, hits)}
	}
	return all, nil
}

func buckets(field string, size int, hits []*doc) []any {
	counts := map[string]int{}
	for _, d := range hits {
		once := map[string]bool{}
		for _, value := range d.values[field] {
			if text, ok := value.(string); ok && !once[text] {
				once[text] = true
				counts[text]++
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	all := []any{}
	for _, key := range keys[:min(size, len(keys))] {
		all = append(all, object{"key": key, "doc_count": counts[key]})
	}
	return all
}

func parsing(kind string) error {
	return refuse(http.StatusBadRequest, "parsing_exception", "unknown query [%s]", kind)
}
