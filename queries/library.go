package queries

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/projections"
)

// Board is a board with what is on it.
type Board struct {
	ID     domain.BoardID
	Name   string
	Images int64
	// Cover is the newest image on the board, or nil if there is none.
	Cover     *Cover
	CreatedAt time.Time
}

// Cover is the image that stands for a board.
type Cover struct {
	Image        domain.ImageID
	ThumbnailKey string // object in the picture store
}

// SavedSearch is a question that is kept under a name.
type SavedSearch struct {
	ID        domain.SearchID
	Name      string
	Query     string // JSON, in the terms of the API
	CreatedAt time.Time
}

// Boards returns all boards of the account, by name; there are never more than library.BoardsMax.
func (s *Service) Boards(ctx context.Context, r Read) ([]Board, As, error) {
	var boards []Board
	as, err := s.read(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) (err error) {
		boards, err = readBoards(ctx, v, sqlBoards+sqlBoardsOrder, r.Account)
		return err
	})
	return boards, as, err
}

// Board returns one board, or CodeNotFound.
func (s *Service) Board(ctx context.Context, r Read, id domain.BoardID) (Board, As, error) {
	var board Board
	as, err := s.one(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) error {
		boards, err := readBoards(ctx, v, sqlBoards+` AND b.board = $2`, r.Account, projections.Text(string(id)))
		if err != nil {
			return err
		}
		if len(boards) == 0 {
			return errNoBoard()
		}
		board = boards[0]
		return nil
	})
	return board, as, err
}

// SavedSearches returns all saved searches of the account, by name; there are never more than library.SearchesMax.
func (s *Service) SavedSearches(ctx context.Context, r Read) ([]SavedSearch, As, error) {
	var kept []SavedSearch
	as, err := s.read(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) (err error) {
		kept, err = readSearches(ctx, v, sqlSearches+` ORDER BY lower(name), search`, r.Account)
		return err
	})
	return kept, as, err
}

// SavedSearch returns one saved search, or CodeNotFound.
func (s *Service) SavedSearch(ctx context.Context, r Read, id domain.SearchID) (SavedSearch, As, error) {
	var found SavedSearch
	as, err := s.one(ctx, r, []projections.Progress{s.views.gallery}, func(v projections.Snapshot) error {
		kept, err := readSearches(ctx, v, sqlSearches+` AND search = $2`, r.Account, projections.Text(string(id)))
		if err != nil {
			return err
		}
		if len(kept) == 0 {
			return domain.Errorf(domain.CodeNotFound, "there is no such saved search")
		}
		found = kept[0]
		return nil
	})
	return found, as, err
}

const (
	sqlBoards = `SELECT b.board, b.name, b.images, b.created_at, coalesce(cover.image, ''),
		coalesce(cover.thumbnail_key, '')
		FROM boards b LEFT JOIN LATERAL (
			SELECT i.image, i.thumbnail_key FROM filings f JOIN images i ON i.image = f.image
			WHERE f.board = b.board ORDER BY f.created_at DESC, f.image DESC LIMIT 1) cover ON true
		WHERE b.account = $1`
	sqlBoardsOrder = ` ORDER BY lower(b.name), b.board`
	sqlBoardExists = `SELECT EXISTS (SELECT FROM boards WHERE account = $1 AND board = $2)`
	sqlSearches    = `SELECT search, name, query, created_at FROM searches WHERE account = $1`
)

func errNoBoard() error { return domain.Errorf(domain.CodeNotFound, "there is no such board") }

// boardExists returns CodeNotFound unless the account has the board.
func boardExists(ctx context.Context, v projections.Snapshot, account domain.AccountID, id domain.BoardID) error {
	var exists bool
	if err := v.QueryRow(ctx, sqlBoardExists, account, projections.Text(string(id))).Scan(&exists); err != nil {
		return fmt.Errorf("look for a board: %w", err)
	}
	if !exists {
		return errNoBoard()
	}
	return nil
}

func readBoards(ctx context.Context, v projections.Snapshot, sql string, args ...any) ([]Board, error) {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sql, args...)
	boards, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Board, error) {
		var b Board
		var cover Cover
		err := row.Scan(&b.ID, &b.Name, &b.Images, &b.CreatedAt, &cover.Image, &cover.ThumbnailKey)
		if cover.Image != "" {
			b.Cover = &cover
		}
		b.CreatedAt = b.CreatedAt.UTC()
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("read boards: %w", err)
	}
	return boards, nil
}

func readSearches(ctx context.Context, v projections.Snapshot, sql string, args ...any) ([]SavedSearch, error) {
	// Query reports its error through the rows.
	rows, _ := v.Query(ctx, sql, args...)
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SavedSearch])
	if err != nil {
		return nil, fmt.Errorf("read saved searches: %w", err)
	}
	for i := range kept {
		kept[i].CreatedAt = kept[i].CreatedAt.UTC()
	}
	return kept, nil
}
