package library

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
)

// Command is a wish that the decider turns into events or refuses.
type Command interface{ command() }

// CreateBoard makes an empty board.
type CreateBoard struct {
	Board   domain.BoardID
	Account domain.AccountID
	Name    string
	At      time.Time
}

// RenameBoard gives a board another name.
type RenameBoard struct {
	Board   domain.BoardID
	Account domain.AccountID
	Name    string
	At      time.Time
}

// DeleteBoard ends a board.
type DeleteBoard struct {
	Board   domain.BoardID
	Account domain.AccountID
	At      time.Time
}

// SaveSearch keeps a new search.
type SaveSearch struct {
	Search      domain.SearchID
	Account     domain.AccountID
	Name, Query string
	At          time.Time
}

// ChangeSearch changes what is given of a saved search and leaves the rest.
type ChangeSearch struct {
	Search      domain.SearchID
	Account     domain.AccountID
	Name, Query *string
	At          time.Time
}

// DeleteSearch ends a saved search.
type DeleteSearch struct {
	Search  domain.SearchID
	Account domain.AccountID
	At      time.Time
}

func (CreateBoard) command()  {}
func (RenameBoard) command()  {}
func (DeleteBoard) command()  {}
func (SaveSearch) command()   {}
func (ChangeSearch) command() {}
func (DeleteSearch) command() {}

// Decider returns the library's decider.
func Decider() domain.Decider[State, Command] {
	return domain.Decider[State, Command]{Initial: Initial, Decide: Decide, Evolve: Evolve, Check: Check}
}

// Decide says which events a command causes. A wish for what is already so causes none. CodeNotFound for what does not
// exist, CodeConflict for a name that is taken and for one thing too many.
func Decide(s State, c Command) ([]domain.Event, error) {
	switch c := c.(type) {
	case CreateBoard:
		return s.createBoard(c)
	case RenameBoard:
		return s.renameBoard(c)
	case DeleteBoard:
		if _, ok := s.board(c.Board); !ok {
			return nil, errNoBoard()
		}
		return []domain.Event{BoardDeleted(c)}, nil
	case SaveSearch:
		if _, ok := s.search(c.Search); ok {
			return nil, domain.Errorf(domain.CodeConflict, "the id is taken")
		}
		if len(s.Searches) >= SearchesMax {
			return nil, domain.Errorf(domain.CodeConflict, "an account keeps at most %d searches", SearchesMax)
		}
		return s.saveSearch(c)
	case ChangeSearch:
		return s.changeSearch(c)
	case DeleteSearch:
		if _, ok := s.search(c.Search); !ok {
			return nil, errNoSearch()
		}
		return []domain.Event{SearchDeleted(c)}, nil
	}
	panic(fmt.Sprintf("library: command %T is not decided", c))
}

func errNoBoard() error  { return domain.Errorf(domain.CodeNotFound, "there is no such board") }
func errNoSearch() error { return domain.Errorf(domain.CodeNotFound, "there is no such saved search") }

func (s State) createBoard(c CreateBoard) ([]domain.Event, error) {
	name, err := s.freeBoardName(c.Board, c.Name)
	if err != nil {
		return nil, err
	}
	if _, ok := s.board(c.Board); ok {
		return nil, domain.Errorf(domain.CodeConflict, "the id is taken")
	}
	if len(s.Boards) >= BoardsMax {
		return nil, domain.Errorf(domain.CodeConflict, "an account has at most %d boards", BoardsMax)
	}
	return []domain.Event{BoardCreated{c.Board, c.Account, name, c.At}}, nil
}

func (s State) renameBoard(c RenameBoard) ([]domain.Event, error) {
	board, ok := s.Board(c.Board)
	if !ok {
		return nil, errNoBoard()
	}
	name, err := s.freeBoardName(c.Board, c.Name)
	if err != nil || name == board.Name {
		return nil, err
	}
	return []domain.Event{BoardRenamed{c.Board, c.Account, name, c.At}}, nil
}

// freeBoardName returns the normal form of a name that no other board has.
func (s State) freeBoardName(id domain.BoardID, name string) (string, error) {
	name, err := NormalName(name)
	if err != nil {
		return "", err
	}
	if other := s.boardNamed(name); other != "" && other != id {
		return "", domain.Errorf(domain.CodeConflict, "another board has this name")
	}
	return name, nil
}

func (s State) saveSearch(c SaveSearch) ([]domain.Event, error) {
	name, err := NormalName(c.Name)
	if err != nil {
		return nil, err
	}
	if len(c.Query) > QueryBytesMax || !utf8.ValidString(c.Query) {
		return nil, domain.FieldErrorf("/query", "is longer than %d bytes or not text", QueryBytesMax)
	}
	if other := s.searchNamed(name); other != "" && other != c.Search {
		return nil, domain.Errorf(domain.CodeConflict, "another saved search has this name")
	}
	return []domain.Event{SearchSaved{c.Search, c.Account, name, c.Query, c.At}}, nil
}

func (s State) changeSearch(c ChangeSearch) ([]domain.Event, error) {
	kept, ok := s.Search(c.Search)
	if !ok {
		return nil, errNoSearch()
	}
	save := SaveSearch{c.Search, c.Account, kept.Name, kept.Query, c.At}
	if c.Name != nil {
		save.Name = *c.Name
	}
	if c.Query != nil {
		save.Query = *c.Query
	}
	events, err := s.saveSearch(save)
	if err == nil {
		if e := events[0].(SearchSaved); e.Name == kept.Name && e.Query == kept.Query {
			return nil, nil
		}
	}
	return events, err
}
