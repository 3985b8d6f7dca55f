package api

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/queries"
)

// ListSavedSearches implements gen.StrictServerInterface.
func (s *Server) ListSavedSearches(
	ctx context.Context, request gen.ListSavedSearchesRequestObject,
) (gen.ListSavedSearchesResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	kept, as, err := s.queries.SavedSearches(ctx, read)
	if err != nil {
		return nil, err
	}
	out := gen.SavedSearchList{Data: make([]gen.SavedSearch, len(kept))}
	for i, k := range kept {
		if out.Data[i], err = toSaved(k); err != nil {
			return nil, err
		}
	}
	return gen.ListSavedSearches200JSONResponse{
		Body: out,
		Headers: gen.ListSavedSearches200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// GetSavedSearch implements gen.StrictServerInterface.
func (s *Server) GetSavedSearch(
	ctx context.Context, request gen.GetSavedSearchRequestObject,
) (gen.GetSavedSearchResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	kept, as, err := s.queries.SavedSearch(ctx, read, domain.SearchID(request.Search))
	if err != nil {
		return nil, err
	}
	body, err := toSaved(kept)
	return gen.GetSavedSearch200JSONResponse{
		Body: body,
		Headers: gen.GetSavedSearch200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, err
}

// SaveSearch implements gen.StrictServerInterface.
func (s *Server) SaveSearch(
	ctx context.Context, request gen.SaveSearchRequestObject,
) (gen.SaveSearchResponseObject, error) {
	key, err := optionalKey(ctx, "POST", request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	query, err := encodeQuery(request.Body.Query)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ledger.SaveSearch(ctx, caller(ctx, key), library.SaveSearch{
		Search: domain.SearchID(s.newID(domain.PrefixSearch)), Account: callOf(ctx).who.Account, Name: request.Body.Name,
		Query: query, At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	body, err := toSaved(queries.SavedSearch{
		ID: receipt.Result.ID, Name: receipt.Result.Name, Query: receipt.Result.Query,
	})
	return gen.SaveSearch201JSONResponse{
		Body: body,
		Headers: gen.SaveSearch201ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, err
}

// ChangeSavedSearch implements gen.StrictServerInterface.
func (s *Server) ChangeSavedSearch(
	ctx context.Context, request gen.ChangeSavedSearchRequestObject,
) (gen.ChangeSavedSearchResponseObject, error) {
	in := library.ChangeSearch{
		Search: domain.SearchID(request.Search), Account: callOf(ctx).who.Account, Name: request.Body.Name, At: s.now(),
	}
	if request.Body.Query != nil {
		query, err := encodeQuery(*request.Body.Query)
		if err != nil {
			return nil, err
		}
		in.Query = &query
	}
	receipt, err := s.ledger.ChangeSearch(ctx, caller(ctx, nil), in)
	if err != nil {
		return nil, err
	}
	body, err := toSaved(queries.SavedSearch{
		ID: receipt.Result.ID, Name: receipt.Result.Name, Query: receipt.Result.Query,
	})
	return gen.ChangeSavedSearch200JSONResponse{
		Body: body, Headers: gen.ChangeSavedSearch200ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, err
}

// DeleteSavedSearch implements gen.StrictServerInterface.
func (s *Server) DeleteSavedSearch(
	ctx context.Context, request gen.DeleteSavedSearchRequestObject,
) (gen.DeleteSavedSearchResponseObject, error) {
	receipt, err := s.ledger.DeleteSearch(ctx, caller(ctx, nil), library.DeleteSearch{
		Search: domain.SearchID(request.Search), Account: callOf(ctx).who.Account, At: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return gen.DeleteSavedSearch204Response{
		Headers: gen.DeleteSavedSearch204ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// RunSavedSearch implements gen.StrictServerInterface.
func (s *Server) RunSavedSearch(
	ctx context.Context, request gen.RunSavedSearchRequestObject,
) (gen.RunSavedSearchResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	kept, _, err := s.queries.SavedSearch(ctx, read, domain.SearchID(request.Search))
	if err != nil {
		return nil, err
	}
	query, err := decodeQuery(kept.Query)
	if err != nil {
		return nil, err
	}
	page, as, err := s.find(ctx, read, query, toPage(p.Cursor, p.Limit))
	if err != nil {
		return nil, err
	}
	data, err := s.toImages(ctx, page.Images)
	return gen.RunSavedSearch200JSONResponse{
		Body: gen.ImagePage{Data: data, HasMore: page.Next != "", NextCursor: opt(page.Next)},
		Headers: gen.RunSavedSearch200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, err
}

// find asks the search for words and the gallery for the rest.
func (s *Server) find(
	ctx context.Context, read queries.Read, q gen.SavedQuery, p queries.Page,
) (queries.ImagePage, queries.As, error) {
	if !ofWords(q) {
		filter, err := s.toFilter(ctx, gen.ImageFilter{
			Tags: q.Tags, Favourite: q.Favourite, Board: q.Board, RatingMin: q.RatingMin, RatingMax: q.RatingMax,
			Model: q.Model, Generation: q.Generation, From: q.From, To: q.To,
		})
		if err != nil {
			return queries.ImagePage{}, queries.As{}, err
		}
		return s.queries.Images(ctx, read, queries.ImagesQuery{
			Page: p, ImageFilter: filter, ByRating: or(q.Sort) == gen.ImageOrderRating,
		})
	}
	ask := queries.SearchQuery{
		Page: p, Words: or(q.Q), Negative: or(q.Negative), Tags: or(q.Tags), Model: or(q.Model), Favourite: q.Favourite,
		Width: int(or(q.Width)), Height: int(or(q.Height)), From: orUTC(q.From), To: orUTC(q.To),
	}
	if q.Seed != nil {
		seed := uint32(*q.Seed)
		ask.Seed = &seed
	}
	hits, as, err := s.queries.Search(ctx, read, ask)
	return queries.ImagePage{Images: hits.Images, Next: hits.Next}, as, err
}

// ofWords reports whether only the search can answer.
func ofWords(q gen.SavedQuery) bool {
	return q.Q != nil || q.Negative != nil || q.Width != nil || q.Height != nil || q.Seed != nil
}

// encodeQuery returns a question as it is recorded, or refuses one that nobody can answer.
func encodeQuery(q gen.SavedQuery) (string, error) {
	ranked := q.RatingMin != nil || q.RatingMax != nil || q.Sort != nil
	if ofWords(q) && (q.Board != nil || q.Generation != nil || ranked) {
		return "", invalidField("/query", "board, generation, rating and sort do not go with words, sizes and seeds")
	}
	text, err := json.Marshal(q)
	if err != nil {
		return "", fmt.Errorf("encode a saved search: %w", err)
	}
	return string(text), nil
}

func decodeQuery(text string) (gen.SavedQuery, error) {
	var q gen.SavedQuery
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		return q, fmt.Errorf("decode a saved search: %w", err)
	}
	return q, nil
}

func toSaved(k queries.SavedSearch) (gen.SavedSearch, error) {
	q, err := decodeQuery(k.Query)
	return gen.SavedSearch{ID: string(k.ID), Name: k.Name, Query: q, CreatedAt: opt(k.CreatedAt)}, err
}
