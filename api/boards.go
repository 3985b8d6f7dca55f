package api

import (
	"context"
	"time"

	"github.com/pingvas/pingvas/api/gen"
	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/queries"
)

// ListBoards implements gen.StrictServerInterface.
func (s *Server) ListBoards(
	ctx context.Context, request gen.ListBoardsRequestObject,
) (gen.ListBoardsResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	boards, as, err := s.queries.Boards(ctx, read)
	if err != nil {
		return nil, err
	}
	out := gen.BoardList{Data: make([]gen.Board, len(boards))}
	for i, b := range boards {
		if out.Data[i], err = s.toBoard(ctx, b); err != nil {
			return nil, err
		}
	}
	return gen.ListBoards200JSONResponse{
		Body: out,
		Headers: gen.ListBoards200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// GetBoard implements gen.StrictServerInterface.
func (s *Server) GetBoard(ctx context.Context, request gen.GetBoardRequestObject) (gen.GetBoardResponseObject, error) {
	read, err := reads(ctx, request.Params.MinPosition)
	if err != nil {
		return nil, err
	}
	board, as, err := s.queries.Board(ctx, read, domain.BoardID(request.Board))
	if err != nil {
		return nil, err
	}
	body, err := s.toBoard(ctx, board)
	if err != nil {
		return nil, err
	}
	return gen.GetBoard200JSONResponse{
		Body: body,
		Headers: gen.GetBoard200ResponseHeaders{
			PingvasPosition: position(as.Position), PingvasStale: yes(as.Stale),
		},
	}, nil
}

// CreateBoard implements gen.StrictServerInterface.
func (s *Server) CreateBoard(
	ctx context.Context, request gen.CreateBoardRequestObject,
) (gen.CreateBoardResponseObject, error) {
	key, err := optionalKey(ctx, "POST", request.Params.IdempotencyKey, request.Body)
	if err != nil {
		return nil, err
	}
	receipt, err := s.ledger.CreateBoard(ctx, caller(ctx, key), library.CreateBoard{
		Board: domain.BoardID(s.newID(domain.PrefixBoard)), Account: callOf(ctx).who.Account, Name: request.Body.Name,
		At: s.now(),
	})
	if err != nil {
		return nil, refused(ctx, receipt, err)
	}
	return gen.CreateBoard201JSONResponse{
		Body: gen.NamedBoard{ID: string(receipt.Result.ID), Name: receipt.Result.Name},
		Headers: gen.CreateBoard201ResponseHeaders{
			PingvasPosition: position(receipt.Position), IdempotencyReplayed: yes(receipt.Replayed),
		},
	}, nil
}

// RenameBoard implements gen.StrictServerInterface.
func (s *Server) RenameBoard(
	ctx context.Context, request gen.RenameBoardRequestObject,
) (gen.RenameBoardResponseObject, error) {
	receipt, err := s.ledger.RenameBoard(ctx, caller(ctx, nil), library.RenameBoard{
		Board: domain.BoardID(request.Board), Account: callOf(ctx).who.Account, Name: request.Body.Name, At: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return gen.RenameBoard200JSONResponse{
		Body:    gen.NamedBoard{ID: string(receipt.Result.ID), Name: receipt.Result.Name},
		Headers: gen.RenameBoard200ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// DeleteBoard implements gen.StrictServerInterface.
func (s *Server) DeleteBoard(
	ctx context.Context, request gen.DeleteBoardRequestObject,
) (gen.DeleteBoardResponseObject, error) {
	receipt, err := s.ledger.DeleteBoard(ctx, caller(ctx, nil), library.DeleteBoard{
		Board: domain.BoardID(request.Board), Account: callOf(ctx).who.Account, At: s.now(),
	})
	if err != nil {
		return nil, err
	}
	return gen.DeleteBoard204Response{
		Headers: gen.DeleteBoard204ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// AddToBoard implements gen.StrictServerInterface.
func (s *Server) AddToBoard(
	ctx context.Context, request gen.AddToBoardRequestObject,
) (gen.AddToBoardResponseObject, error) {
	board := []domain.BoardID{domain.BoardID(request.Board)}
	receipt, err := s.file(ctx, request.Image, commands.ImageChange{AddBoards: board})
	if err != nil {
		return nil, err
	}
	return gen.AddToBoard204Response{
		Headers: gen.AddToBoard204ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// RemoveFromBoard implements gen.StrictServerInterface.
func (s *Server) RemoveFromBoard(
	ctx context.Context, request gen.RemoveFromBoardRequestObject,
) (gen.RemoveFromBoardResponseObject, error) {
	board := []domain.BoardID{domain.BoardID(request.Board)}
	receipt, err := s.file(ctx, request.Image, commands.ImageChange{RemoveBoards: board})
	if err != nil {
		return nil, err
	}
	return gen.RemoveFromBoard204Response{
		Headers: gen.RemoveFromBoard204ResponseHeaders{PingvasPosition: position(receipt.Position)},
	}, nil
}

// file answers the same for a board and for an image that the caller does not have.
func (s *Server) file(
	ctx context.Context, id string, change commands.ImageChange,
) (commands.Receipt[commands.ImageMarks], error) {
	receipt, err := s.ledger.UpdateImage(ctx, caller(ctx, nil), commands.UpdateImage{
		Image: domain.ImageID(id), ImageChange: change, At: s.now(),
	})
	if domain.CodeOf(err) == domain.CodeNotFound {
		err = domain.Errorf(domain.CodeNotFound, "there is no such board or no such image")
	}
	return receipt, err
}

func (s *Server) toBoard(ctx context.Context, b queries.Board) (gen.Board, error) {
	out := gen.Board{ID: string(b.ID), Name: b.Name, Images: b.Images, CreatedAt: b.CreatedAt}
	if b.Cover == nil {
		return out, nil
	}
	url, err := s.pictures.PresignGet(ctx, b.Cover.ThumbnailKey, "", pictureTTL)
	out.Cover = &gen.BoardCover{
		Image: string(b.Cover.Image), ThumbnailURL: url, URLExpiresAt: s.now().Add(pictureTTL).Truncate(time.Second),
	}
	return out, err
}

// optionalKey is idempotency for calls that may do without a key.
func optionalKey(ctx context.Context, method string, header *string, parts ...any) (*commands.Idempotency, error) {
	if header == nil {
		return nil, nil
	}
	return idempotency(ctx, method, *header, parts...)
}
