package commands

import (
	"context"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/eventstore"
)

// Board is a board as a command has left it.
type Board struct {
	ID   domain.BoardID `json:"id"`
	Name string         `json:"name"`
}

// SavedSearch is a saved search as a command has left it.
type SavedSearch struct {
	ID    domain.SearchID `json:"id"`
	Name  string          `json:"name"`
	Query string          `json:"query"`
}

// CreateBoard runs the use case. CodeConflict for a name that is taken and for one board too many.
func (l *Ledger) CreateBoard(ctx context.Context, c Caller, in library.CreateBoard) (Receipt[Board], error) {
	return onLibrary(ctx, l, c, "create_board", in, boardOf(in.Board))
}

// RenameBoard runs the use case. CodeNotFound unless the caller has the board, CodeConflict for a name that is taken.
func (l *Ledger) RenameBoard(ctx context.Context, c Caller, in library.RenameBoard) (Receipt[Board], error) {
	return onLibrary(ctx, l, c, "rename_board", in, boardOf(in.Board))
}

// DeleteBoard runs the use case. The images stay. CodeNotFound unless the caller has the board.
func (l *Ledger) DeleteBoard(ctx context.Context, c Caller, in library.DeleteBoard) (Receipt[Board], error) {
	return onLibrary(ctx, l, c, "delete_board", in, boardOf(in.Board))
}

// SaveSearch runs the use case. CodeConflict for a name that is taken and for one search too many.
func (l *Ledger) SaveSearch(ctx context.Context, c Caller, in library.SaveSearch) (Receipt[SavedSearch], error) {
	return onLibrary(ctx, l, c, "save_search", in, searchOf(in.Search))
}

// ChangeSearch runs the use case. CodeNotFound unless the caller has it, CodeConflict for a name that is taken.
func (l *Ledger) ChangeSearch(ctx context.Context, c Caller, in library.ChangeSearch) (Receipt[SavedSearch], error) {
	return onLibrary(ctx, l, c, "change_search", in, searchOf(in.Search))
}

// DeleteSearch runs the use case. CodeNotFound unless the caller has it.
func (l *Ledger) DeleteSearch(ctx context.Context, c Caller, in library.DeleteSearch) (Receipt[SavedSearch], error) {
	return onLibrary(ctx, l, c, "delete_search", in, searchOf(in.Search))
}

func boardOf(id domain.BoardID) func(library.State) Board {
	return func(s library.State) Board {
		b, _ := s.Board(id)
		return Board(b)
	}
}

func searchOf(id domain.SearchID) func(library.State) SavedSearch {
	return func(s library.State) SavedSearch {
		k, _ := s.Search(id)
		return SavedSearch(k)
	}
}

// onLibrary runs a command on the caller's library and answers with a part of what it has become.
func onLibrary[R any](
	ctx context.Context, l *Ledger, c Caller, name string, in library.Command, answer func(library.State) R,
) (Receipt[R], error) {
	return run(ctx, l, c, useCase[R]{
		name: name, streams: []string{eventstore.LibraryStream(c.Account)}, seals: true,
		decide: func(w *work) (R, error) {
			err := w.onLibrary(in)
			return answer(w.library.state), err
		},
	})
}
