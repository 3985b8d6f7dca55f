package bleve

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/projections/search/words"
)

// searchTimeout bounds one search.
const searchTimeout = 5 * time.Second

// Search implements search.Engine.
func (e *Engine) Search(ctx context.Context, q search.Query) (search.Result, error) {
	if err := q.Check(); err != nil {
		return search.Result{}, err
	}
	after, more, err := q.Place()
	if err != nil {
		return search.Result{}, err
	}
	request := bleve.NewSearchRequestOptions(filters(q), q.Limit+1, 0, false)
	// Nothing is ranked by how rare its words are: see search.Sort.
	request.Score = "none"
	by := keys[q.Order()]
	request.SortBy([]string{by.sort})
	if more {
		request.SetSearchAfter([]string{by.of(after)})
	}
	if q.Facets {
		request.AddFacet(fieldTags, bleve.NewFacetRequest(fieldTags, search.FacetMax))
		request.AddFacet(fieldModel, bleve.NewFacetRequest(fieldModel, search.FacetMax))
		request.AddFacet(fieldFavourite, bleve.NewFacetRequest(fieldFavourite, 2))
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.serving == nil {
		return search.Result{}, search.Unbuilt()
	}
	answer, err := e.serving.parts[e.cfg.Partition(q.Account)].index.SearchInContext(ctx, request)
	if err != nil {
		return search.Result{}, fmt.Errorf("search the index: %w", err)
	}
	return result(answer, q.Limit, by)
}

func result(answer *bleve.SearchResult, limit int, by key) (search.Result, error) {
	r := search.Result{Total: int64(answer.Total), Facets: facets(answer)}
	hits := answer.Hits
	if len(hits) > limit {
		hits = hits[:limit]
		last, err := by.place(hits[limit-1].Sort[0])
		if err != nil {
			return search.Result{}, err
		}
		r.Next = last.Next()
	}
	for _, hit := range hits {
		r.Images = append(r.Images, domain.ImageID(hit.ID))
	}
	return r, nil
}

func facets(answer *bleve.SearchResult) search.Facets {
	counts := func(field string) []search.Count {
		facet := answer.Facets[field]
		if facet == nil || facet.Terms == nil {
			return nil
		}
		var all []search.Count
		for _, t := range facet.Terms.Terms() {
			all = append(all, search.Count{Value: t.Term, Images: int64(t.Count)})
		}
		return all
	}
	f := search.Facets{Models: counts(fieldModel), Tags: counts(fieldTags)}
	for _, c := range counts(fieldFavourite) {
		if c.Value == strconv.FormatBool(true) {
			f.Favourites = c.Images
		}
	}
	return f
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
		all = append(all, term(fieldFavourite, strconv.FormatBool(*q.Favourite)))
	}
	if q.Width != 0 {
		all = append(all, term(fieldWidth, strconv.Itoa(q.Width)))
	}
	if q.Height != 0 {
		all = append(all, term(fieldHeight, strconv.Itoa(q.Height)))
	}
	if q.Seed != nil {
		all = append(all, term(fieldSeed, number(*q.Seed)))
	}
	if !q.From.IsZero() || !q.To.IsZero() {
		all = append(all, made(q.From, q.To))
	}
	return bleve.NewConjunctionQuery(all...)
}

func made(from, to time.Time) query.Query {
	first, last := math.Inf(-1), math.Inf(1)
	if !from.IsZero() {
		first = float64(search.Micros(from))
	}
	if !to.IsZero() {
		last = float64(search.Micros(to))
	}
	inclusive, exclusive := true, false
	q := bleve.NewNumericRangeInclusiveQuery(&first, &last, &inclusive, &exclusive)
	q.SetField(fieldCreated)
	return q
}

// matching returns one query for each word of the text. Text that holds no word matches nothing.
func matching(text, terms, singles string) []query.Query {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	asked := words.Ask(text)
	if len(asked) == 0 {
		return []query.Query{bleve.NewMatchNoneQuery()}
	}
	queries := make([]query.Query, len(asked))
	for i, w := range asked {
		switch {
		case w.Single != "":
			queries[i] = term(singles, w.Single)
		case len(w.Terms) == 1:
			queries[i] = term(terms, w.Terms[0])
		default:
			queries[i] = bleve.NewPhraseQuery(w.Terms, terms)
		}
	}
	return queries
}

func term(field, value string) query.Query {
	q := bleve.NewTermQuery(value)
	q.SetField(field)
	return q
}
