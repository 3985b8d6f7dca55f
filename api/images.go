package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/queries"
)

// pictureTTL is how long a URL to look at or to download a picture works.
const pictureTTL = 15 * time.Minute

// ListImages implements gen.StrictServerInterface.
func (s *Server) ListImages(
	ctx context.Context, request gen.ListImagesRequestObject,
) (gen.ListImagesResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	filter, err := s.toFilter(ctx, gen.ImageFilter{
		Tags: p.Tag, Favourite: p.Favourite, Board: p.Board, RatingMin: p.RatingMin, RatingMax: p.RatingMax, Model: p.Model,
		Generation: p.Generation, From: p.From, To: p.To,
	})
	if err != nil {
		return nil, err
	}
	page, as, err := s.queries.Images(ctx, read, queries.ImagesQuery{
		Page: toPage(p.Cursor, p.Limit), ImageFilter: filter, ByRating: or(p.Sort) == gen.ImageOrderRating,
	})
	if err != nil {
		return nil, err
	}
	data, err := s.toImages(ctx, page.Images)
	if err != nil {
		return nil, err
	}
	return gen.ListImages200JSONResponse{
		Body: gen.ImagePage{Data: data, HasMore: page.Next != "", NextCursor: opt(page.Next)},
		Headers: gen.ListImages200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// SearchImages implements gen.StrictServerInterface.
func (s *Server) SearchImages(
	ctx context.Context, request gen.SearchImagesRequestObject,
) (gen.SearchImagesResponseObject, error) {
	p := request.Params
	read, err := reads(ctx, p.MinPosition)
	if err != nil {
		return nil, err
	}
	q := queries.SearchQuery{
		Page: toPage(p.Cursor, p.Limit), Words: or(p.Q), Negative: or(p.Negative), Tags: or(p.Tag), Model: or(p.Model),
		Favourite: p.Favourite, Width: int(or(p.Width)), Height: int(or(p.Height)), From: or(p.From).UTC(),
		To: or(p.To).UTC(), Sort: queries.SearchSort(or(p.Sort)), Facets: or(p.Facets),
	}
	if p.Seed != nil {
		seed := uint32(*p.Seed)
		q.Seed = &seed
	}
	page, as, err := s.queries.Search(ctx, read, q)
	if err != nil {
		return nil, err
	}
	data, err := s.toImages(ctx, page.Images)
	if err != nil {
		return nil, err
	}
	body := gen.SearchPage{Data: data, Total: page.Total, HasMore: page.Next != "", NextCursor: opt(page.Next)}
	if q.Facets {
		body.Facets = &gen.SearchFacets{
			Models: toCounts(page.Facets.Models), Tags: toCounts(page.Facets.Tags), Favourites: page.Facets.Favourites,
		}
	}
	return gen.SearchImages200JSONResponse{
		Body: body,
		Headers: gen.SearchImages200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

func toCounts(counts []queries.SearchCount) []gen.SearchCount {
	all := make([]gen.SearchCount, len(counts))
	for i, c := range counts {
		all[i] = gen.SearchCount{Value: c.Value, Images: c.Images}
	}
	return all
}

// GetImage implements gen.StrictServerInterface.
func (s *Server) GetImage(ctx context.Context, request gen.GetImageRequestObject) (gen.GetImageResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	found, as, err := s.queries.Image(ctx, read, domain.ImageID(request.Image))
	if err != nil {
		return nil, err
	}
	body, err := s.toImage(ctx, found, s.now().Add(pictureTTL))
	if err != nil {
		return nil, err
	}
	return gen.GetImage200JSONResponse{
		Body: body,
		Headers: gen.GetImage200ResponseHeaders{
			ETag: versionTag(found.Version), PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// UpdateImage implements gen.StrictServerInterface.
func (s *Server) UpdateImage(
	ctx context.Context, request gen.UpdateImageRequestObject,
) (gen.UpdateImageResponseObject, error) {
	version, err := parseIfMatch(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change := commands.ImageChange{
		Tags: request.Body.Tags, Favourite: request.Body.Favourite, Rating: toRating(request.Body.Rating),
	}
	if request.Body.Boards != nil {
		boards := toIDs[domain.BoardID](*request.Body.Boards)
		change.Boards = &boards
	}
	receipt, err := s.ledger.UpdateImage(ctx, caller(ctx, nil), commands.UpdateImage{
		Image: domain.ImageID(request.Image), ImageChange: change, Version: version, At: s.now(),
	})
	if err != nil {
		return nil, err
	}
	marks := receipt.Result
	return gen.UpdateImage200JSONResponse{
		Body: gen.ImageMarks{
			ID: request.Image, Tags: list(marks.Tags), Favourite: marks.Favourite, Rating: int32(marks.Rating),
			Boards: toIDs[string](marks.Boards), Version: marks.Version,
		},
		Headers: gen.UpdateImage200ResponseHeaders{
			ETag: versionTag(marks.Version), PingvasPosition: position(receipt.Position),
		},
	}, nil
}

// DeleteImage implements gen.StrictServerInterface.
func (s *Server) DeleteImage(
	ctx context.Context, request gen.DeleteImageRequestObject,
) (gen.DeleteImageResponseObject, error) {
	receipt, err := s.ledger.DeleteImage(ctx, caller(ctx, nil), domain.ImageID(request.Image), s.now())
	if err != nil {
		return nil, err
	}
	return gen.DeleteImage204Response{
		Headers: gen.DeleteImage204ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// DownloadImage implements gen.StrictServerInterface.
func (s *Server) DownloadImage(
	ctx context.Context, request gen.DownloadImageRequestObject,
) (gen.DownloadImageResponseObject, error) {
	read := queries.Read{Account: callOf(ctx).who.Account}
	found, _, err := s.queries.Image(ctx, read, domain.ImageID(request.Image))
	if err != nil {
		return nil, err
	}
	key := found.Key
	if or(request.Params.Variant) == gen.DownloadImageParamsVariantThumbnail {
		key = found.ThumbnailKey
	}
	url, err := s.pictures.PresignGet(ctx, key, string(found.ID)+key[strings.LastIndexByte(key, '.'):], pictureTTL)
	if err != nil {
		return nil, err
	}
	return gen.DownloadImage302Response{Headers: gen.DownloadImage302ResponseHeaders{Location: &url}}, nil
}

// parseIfMatch returns the version that the caller has seen, or nil for any.
func parseIfMatch(header *string) (*int64, error) {
	if header == nil || *header == "*" {
		return nil, nil
	}
	version, err := strconv.ParseInt(strings.Trim(*header, `"`), 10, 64)
	if err != nil || *versionTag(version) != *header { // a tag is a text: "7" is not "+7" or "007"
		return nil, invalidField("If-Match", `is not the ETag of an image, such as "3"`)
	}
	return &version, nil
}

func versionTag(version int64) *string {
	tag := fmt.Sprintf(`"%d"`, version)
	return &tag
}

// toImages shows images with URLs that all work equally long.
func (s *Server) toImages(ctx context.Context, images []queries.Image) ([]gen.Image, error) {
	until := s.now().Add(pictureTTL)
	out := make([]gen.Image, len(images))
	for i, m := range images {
		var err error
		if out[i], err = s.toImage(ctx, m, until); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Server) toImage(ctx context.Context, m queries.Image, until time.Time) (gen.Image, error) {
	url, err := s.pictures.PresignGet(ctx, m.Key, "", pictureTTL)
	if err != nil {
		return gen.Image{}, err
	}
	thumbnail, err := s.pictures.PresignGet(ctx, m.ThumbnailKey, "", pictureTTL)
	if err != nil {
		return gen.Image{}, err
	}
	return gen.Image{
		ID: string(m.ID), Generation: string(m.Generation), Request: toSpec(m.Spec), Engine: opt(m.Engine),
		Width: int32(m.Width), Height: int32(m.Height), Bytes: m.Bytes, ContentType: m.ContentType, Sha256: m.SHA256,
		Seed: int64(m.Seed), Credits: (*int64)(m.Credits), Tags: list(m.Tags), Favourite: m.Favourite,
		Rating: int32(m.Rating), Boards: toIDs[string](m.Boards), Version: m.Version, CreatedAt: m.CreatedAt,
		URL: url, ThumbnailURL: thumbnail, URLExpiresAt: until,
	}, nil
}
