package api

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// putTTL is how long the URL of an upload works.
const putTTL = 15 * time.Minute

// CreateUpload implements gen.StrictServerInterface. Nothing is recorded: the id and the account make the place.
func (s *Server) CreateUpload(
	ctx context.Context, request gen.CreateUploadRequestObject,
) (gen.CreateUploadResponseObject, error) {
	id := domain.UploadID(s.newID(domain.PrefixUpload))
	upload := Upload{
		Key:         generation.UploadKey(callOf(ctx).who.Account, id),
		ContentType: string(request.Body.ContentType), Bytes: request.Body.Bytes,
	}
	url, headers, err := s.pictures.PresignUpload(ctx, upload, putTTL)
	if err != nil {
		return nil, err
	}
	return gen.CreateUpload201JSONResponse{
		ID: string(id), URL: url, Headers: headers, Bytes: upload.Bytes, ExpiresAt: s.now().Add(putTTL),
	}, nil
}
