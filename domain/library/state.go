package library

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of what one account keeps.
const (
	BoardsMax     = 500
	SearchesMax   = 100
	NameRunesMax  = 100
	QueryBytesMax = 8 << 10
)

// Board is a board that exists.
type Board struct {
	ID   domain.BoardID
	Name string
}

// Search is a saved search that exists.
type Search struct {
	ID          domain.SearchID
	Name, Query string
}

// State is what an account keeps, folded from its events. Both lists are sorted by id; Evolve replaces them and never
// changes one.
type State struct {
	Boards   []Board
	Searches []Search
}

// Initial returns an empty library.
func Initial() State { return State{} }

// Board returns a board, and false if there is none with this id.
func (s State) Board(id domain.BoardID) (Board, bool) {
	i, ok := s.board(id)
	if !ok {
		return Board{}, false
	}
	return s.Boards[i], true
}

// Search returns a saved search, and false if there is none with this id.
func (s State) Search(id domain.SearchID) (Search, bool) {
	i, ok := s.search(id)
	if !ok {
		return Search{}, false
	}
	return s.Searches[i], true
}

// Existing returns those of the boards that exist, in their order.
func (s State) Existing(boards []domain.BoardID) []domain.BoardID {
	existing := []domain.BoardID{}
	for _, id := range boards {
		if _, ok := s.board(id); ok {
			existing = append(existing, id)
		}
	}
	return existing
}

func (s State) board(id domain.BoardID) (int, bool) {
	return slices.BinarySearchFunc(s.Boards, id, func(b Board, id domain.BoardID) int { return cmp.Compare(b.ID, id) })
}

func (s State) search(id domain.SearchID) (int, bool) {
	return slices.BinarySearchFunc(s.Searches, id, func(k Search, id domain.SearchID) int { return cmp.Compare(k.ID, id) })
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case BoardCreated:
		return s.withBoard(Board{e.Board, e.Name})
	case BoardRenamed:
		return s.withBoard(Board{e.Board, e.Name})
	case BoardDeleted:
		if i, ok := s.board(e.Board); ok {
			s.Boards = slices.Delete(slices.Clone(s.Boards), i, i+1)
		}
		return s
	case SearchSaved:
		return s.withSearch(Search{e.Search, e.Name, e.Query})
	case SearchDeleted:
		if i, ok := s.search(e.Search); ok {
			s.Searches = slices.Delete(slices.Clone(s.Searches), i, i+1)
		}
		return s
	}
	panic(fmt.Sprintf("library: event %T is not folded", e))
}

func (s State) withBoard(b Board) State {
	i, ok := s.board(b.ID)
	s.Boards = slices.Clone(s.Boards)
	if ok {
		s.Boards[i] = b
	} else {
		s.Boards = slices.Insert(s.Boards, i, b)
	}
	return s
}

func (s State) withSearch(k Search) State {
	i, ok := s.search(k.ID)
	s.Searches = slices.Clone(s.Searches)
	if ok {
		s.Searches[i] = k
	} else {
		s.Searches = slices.Insert(s.Searches, i, k)
	}
	return s
}

// Check returns the first invariant that the state breaks, or nil.
func Check(s State) error {
	switch {
	case len(s.Boards) > BoardsMax:
		return fmt.Errorf("%d boards", len(s.Boards))
	case len(s.Searches) > SearchesMax:
		return fmt.Errorf("%d saved searches", len(s.Searches))
	}
	for i, b := range s.Boards {
		if i > 0 && s.Boards[i-1].ID >= b.ID {
			return fmt.Errorf("the board %s is not in its place", b.ID)
		}
		if s.boardNamed(b.Name) != b.ID {
			return fmt.Errorf("two boards have the name of %s", b.ID)
		}
	}
	for i, k := range s.Searches {
		if i > 0 && s.Searches[i-1].ID >= k.ID {
			return fmt.Errorf("the saved search %s is not in its place", k.ID)
		}
		if s.searchNamed(k.Name) != k.ID {
			return fmt.Errorf("two saved searches have the name of %s", k.ID)
		}
	}
	return nil
}

// boardNamed returns the first board with a name, letter case set aside, or "".
func (s State) boardNamed(name string) domain.BoardID {
	for _, b := range s.Boards {
		if strings.EqualFold(b.Name, name) {
			return b.ID
		}
	}
	return ""
}

func (s State) searchNamed(name string) domain.SearchID {
	for _, k := range s.Searches {
		if strings.EqualFold(k.Name, name) {
			return k.ID
		}
	}
	return ""
}

// NormalName trims a name. It returns CodeInvalid at /name for an empty one, one longer than NameRunesMax, and for
// control characters.
func NormalName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", domain.FieldErrorf("/name", "the name holds characters that are not text")
	case name == "":
		return "", domain.FieldErrorf("/name", "the name is empty")
	case utf8.RuneCountInString(name) > NameRunesMax:
		return "", domain.FieldErrorf("/name", "the name is longer than %d characters", NameRunesMax)
	}
	return name, nil
}
