package bleve

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2"
	found "github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
)

// searchTimeout bounds one search.
const searchTimeout = 5 * time.Second

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	if q.Account == "" || q.Limit < 1 {
		return search.Result{}, fmt.Errorf("a search needs an account and a limit, not %q and %d", q.Account, q.Limit)
	}
	ranked := strings.TrimSpace(q.Words+q.Negative) != ""
	request := bleve.NewSearchRequestOptions(filters(q), q.Limit+1, 0, false)
	order := []string{"-" + fieldOrder, "-_id"}
	if ranked {
		order = append([]string{"-_score"}, order...)
	}
	request.SortBy(order)
	if q.After != "" {
		var after []string
		if json.Unmarshal([]byte(q.After), &after) != nil || len(after) != len(order) {
			return search.Result{}, domain.FieldErrorf("cursor", "is not one that was given")
		}
		request.SetSearchAfter(after)
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	e.mu.RLock()
	defer e.mu.RUnlock()
	answer, err := e.index.SearchInContext(ctx, request)
	if err != nil {
		return search.Result{}, fmt.Errorf("search the index: %w", err)
	}
	return result(answer, q.Limit, ranked)
}

func result(answer *bleve.SearchResult, limit int, ranked bool) (search.Result, error) {
	r := search.Result{Total: int64(answer.Total)}
	hits := answer.Hits
	if len(hits) > limit {
		hits = hits[:limit]
		next, err := json.Marshal(place(hits[limit-1], ranked))
		if err != nil {
			return search.Result{}, fmt.Errorf("write the place in the list: %w", err)
		}
		r.Next = string(next)
	}
	for _, hit := range hits {
		r.Images = append(r.Images, domain.ImageID(hit.ID))
	}
	return r, nil
}

// place returns where a hit stands in the list. The index gives the name of the score instead of its value.
func place(hit *found.DocumentMatch, ranked bool) []string {
	if !ranked {
		return hit.Sort
	}
	return append([]string{strconv.FormatFloat(hit.Score, 'g', -1, 64)}, hit.Sort[1:]...)
}

// filters puts the owner first and outside of everything that a customer writes.
func filters(q search.Query) query.Query {
	all := []query.Query{term(fieldAccount, string(q.Account))}
	all = append(all, matching(q.Words, fieldTerms, fieldSingles)...)
	all = append(all, matching(q.Negative, fieldNegative, fieldNegativeSingles)...)
	for _, tag := range q.Tags {
		all = append(all, term(fieldTags, strings.ToLower(tag)))
	}
	if q.Model != "" {
		all = append(all, term(fieldModel, q.Model))
	}
	if q.Favourite != nil {
		favourite := bleve.NewBoolFieldQuery(*q.Favourite)
		favourite.SetField(fieldFavourite)
		all = append(all, favourite)
	}
	if q.Width != 0 {
		all = append(all, number(fieldWidth, float64(q.Width)))
	}
	if q.Height != 0 {
		all = append(all, number(fieldHeight, float64(q.Height)))
	}
	if q.Seed != nil {
		all = append(all, number(fieldSeed, float64(*q.Seed)))
	}
	if !q.From.IsZero() || !q.To.IsZero() {
		inclusive, exclusive := true, false
		made := bleve.NewDateRangeInclusiveQuery(q.From, q.To, &inclusive, &exclusive)
		made.SetField(fieldCreated)
		all = append(all, made)
	}
	return bleve.NewConjunctionQuery(all...)
}

// matching returns one query for each word of the text. Text that holds no word matches nothing.
func matching(text, terms, singles string) []query.Query {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	all := words(text)
	if len(all) == 0 {
		return []query.Query{bleve.NewMatchNoneQuery()}
	}
	var queries []query.Query
	for _, w := range all[:min(len(all), queryWordsMax)] {
		parts := w.terms()
		switch {
		case len(parts) == 0:
			queries = append(queries, term(singles, string(w.runes)))
		case len(parts) == 1:
			queries = append(queries, term(terms, parts[0]))
		default:
			queries = append(queries, bleve.NewPhraseQuery(parts[:min(len(parts), wordRunesMax)], terms))
		}
	}
	return queries
}

func term(field, value string) query.Query {
	q := bleve.NewTermQuery(value)
	q.SetField(field)
	return q
}

func number(field string, value float64) query.Query {
	inclusive := true
	q := bleve.NewNumericRangeInclusiveQuery(&value, &value, &inclusive, &inclusive)
	q.SetField(field)
	return q
}
