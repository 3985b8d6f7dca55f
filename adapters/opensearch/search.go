package opensearch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/words"
)

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	if err := q.Check(); err != nil {
		return search.Result{}, err
	}
	after, more, err := q.Place()
	if err != nil {
		return search.Result{}, err
	}
	ask := question(q)
	if more {
		ask["search_after"] = sortValues(q.Order(), after)
	}
	var answer searchAnswer
	whole := false
	err = e.send(ctx, searchTimeout, &answer, func() request {
		return esapi.SearchRequest{
			Index: []string{e.readAlias()}, Body: body(ask), Routing: []string{string(q.Account)},
			AllowPartialSearchResults: &whole, Preference: preference(q.Account),
		}
	})
	switch {
	case missing(err):
		return search.Result{}, search.Unbuilt()
	case err != nil:
		return search.Result{}, fmt.Errorf("search the index: %w", err)
	case answer.TimedOut || answer.Shards.Failed > 0:
		return search.Result{}, errors.New("search the index: the server answered a part of the question alone")
	}
	return answer.result(q)
}

// preference keeps one owner on one copy of the shard, so that no page is read from a copy that is behind the last one.
func preference(account domain.AccountID) string {
	sum := sha256.Sum256([]byte(account))
	return hex.EncodeToString(sum[:8])
}

// question is all that is asked: filters alone, since no answer depends on how rare its words are.
func question(q search.Query) object {
	ask := object{
		"query":            object{"bool": object{"filter": filters(q)}},
		"sort":             order(q.Order()),
		"size":             q.Limit + 1,
		"track_total_hits": true,
		"_source":          false,
		"timeout":          fmt.Sprintf("%dms", (searchTimeout - time.Second).Milliseconds()),
	}
	if q.Facets {
		values := func(field string) object {
			return object{"terms": object{"field": field, "size": search.FacetMax}}
		}
		ask["aggs"] = object{
			fieldTags: values(fieldTags), fieldModel: values(fieldModel),
			fieldFavourite: object{"filter": term(fieldFavourite, true)},
		}
	}
	return ask
}

func order(s search.Sort) []any {
	by := func(field, direction string) any { return object{field: object{"order": direction}} }
	switch s {
	case search.SortOldest:
		return []any{by(fieldCreated, "asc"), by(fieldImage, "asc")}
	case search.SortNewest:
		return []any{by(fieldCreated, "desc"), by(fieldImage, "desc")}
	case search.SortBest:
	}
	return []any{by(fieldBrevity, "asc"), by(fieldCreated, "desc"), by(fieldImage, "desc")}
}

// sortValues is a place in the order.
func sortValues(s search.Sort, p search.Place) []any {
	if s == search.SortBest {
		return []any{p.Brevity, p.Micros, p.Image}
	}
	return []any{p.Micros, p.Image}
}

// filters puts the owner first and outside of everything that a customer writes.
func filters(q search.Query) []any {
	all := []any{term(fieldAccount, q.Account)}
	all = append(all, matching(q.Words, fieldTerms, fieldSingles, fieldKorean)...)
	all = append(all, matching(q.Negative, fieldNegative, fieldNegativeSingles, fieldNegativeKorean)...)
	for _, tag := range q.Tags {
		all = append(all, term(fieldTags, clipped(strings.ToValidUTF8(strings.ToLower(tag), "�"))))
	}
	if q.Model != "" {
		all = append(all, term(fieldModel, clipped(strings.ToValidUTF8(q.Model, "�"))))
	}
	if q.Favourite != nil {
		all = append(all, term(fieldFavourite, *q.Favourite))
	}
	if q.Width != 0 {
		all = append(all, term(fieldWidth, q.Width))
	}
	if q.Height != 0 {
		all = append(all, term(fieldHeight, q.Height))
	}
	if q.Seed != nil {
		all = append(all, term(fieldSeed, *q.Seed))
	}
	made := object{}
	if !q.From.IsZero() {
		made["gte"] = search.Micros(q.From)
	}
	if !q.To.IsZero() {
		made["lt"] = search.Micros(q.To)
	}
	if len(made) > 0 {
		all = append(all, object{"range": object{fieldCreated: made}})
	}
	return all
}

// matching returns one clause for each word of the text. Text that holds no word matches nothing.
func matching(text, terms, singles, korean string) []any {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	asked := words.Ask(text)
	if len(asked) == 0 {
		return []any{object{"match_none": object{}}}
	}
	clauses := make([]any, len(asked))
	for i, w := range asked {
		clause := phrase(terms, strings.Join(w.Terms, " "))
		switch {
		case w.Single != "":
			clause = term(singles, w.Single)
		case len(w.Terms) == 1:
			clause = term(terms, w.Terms[0])
		}
		if hangul(w.Text) {
			either := []any{clause, phrase(korean, w.Text)}
			clause = object{"bool": object{"should": either, "minimum_should_match": 1}}
		}
		clauses[i] = clause
	}
	return clauses
}

func hangul(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Hangul, r) })
}

func term(field string, value any) object {
	return object{"term": object{field: object{"value": value}}}
}

func phrase(field, text string) object {
	return object{"match_phrase": object{field: object{"query": text}}}
}

// searchAnswer is what the server found.
type searchAnswer struct {
	TimedOut bool `json:"timed_out"`
	Shards   struct {
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value int64 `json:"value"`
		} `json:"total"`
		Hits []struct {
			ID   domain.ImageID    `json:"_id"`
			Sort []json.RawMessage `json:"sort"`
		} `json:"hits"`
	} `json:"hits"`
	Aggregations map[string]struct {
		DocCount int64 `json:"doc_count"`
		Buckets  []struct {
			Key      string `json:"key"`
			DocCount int64  `json:"doc_count"`
		} `json:"buckets"`
	} `json:"aggregations"`
}

func (a searchAnswer) result(q search.Query) (search.Result, error) {
	r := search.Result{Total: a.Hits.Total.Value, Facets: a.facets()}
	hits := a.Hits.Hits
	if len(hits) > q.Limit {
		hits = hits[:q.Limit]
		last := hits[q.Limit-1]
		p := search.Place{Image: last.ID}
		fields := []any{&p.Micros}
		if q.Order() == search.SortBest {
			fields = []any{&p.Brevity, &p.Micros}
		}
		if len(last.Sort) != len(fields)+1 {
			return search.Result{}, fmt.Errorf("%w: %d values to sort by", errNotUnderstood, len(last.Sort))
		}
		for i, field := range fields {
			if err := json.Unmarshal(last.Sort[i], field); err != nil {
				return search.Result{}, fmt.Errorf("%w: %w", errNotUnderstood, err)
			}
		}
		r.Next = p.Next()
	}
	for _, hit := range hits {
		r.Images = append(r.Images, hit.ID)
	}
	return r, nil
}

func (a searchAnswer) facets() search.Facets {
	counts := func(field string) []search.Count {
		var all []search.Count
		for _, b := range a.Aggregations[field].Buckets {
			all = append(all, search.Count{Value: b.Key, Images: b.DocCount})
		}
		return all
	}
	return search.Facets{
		Models: counts(fieldModel), Tags: counts(fieldTags), Favourites: a.Aggregations[fieldFavourite].DocCount,
	}
}
