package library

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// BoardCreated makes an empty board.
type BoardCreated struct {
	Board   domain.BoardID   `json:"board"`
	Account domain.AccountID `json:"account"`
	Name    string           `json:"name" pii:"seal"`
	At      time.Time        `json:"at"`
}

// BoardRenamed gives the board another name.
type BoardRenamed struct {
	Board   domain.BoardID   `json:"board"`
	Account domain.AccountID `json:"account"`
	Name    string           `json:"name" pii:"seal"`
	At      time.Time        `json:"at"`
}

// BoardDeleted ends the board. What was on it stays in the gallery and on its other boards.
type BoardDeleted struct {
	Board   domain.BoardID   `json:"board"`
	Account domain.AccountID `json:"account"`
	At      time.Time        `json:"at"`
}

// SearchSaved keeps a search under a name, in the place of what was kept under the same id.
type SearchSaved struct {
	Search  domain.SearchID  `json:"search"`
	Account domain.AccountID `json:"account"`
	Name    string           `json:"name" pii:"seal"`
	// Query is the question as JSON, in the terms of the API. New terms are added, none changes its meaning.
	Query string    `json:"query" pii:"seal"`
	At    time.Time `json:"at"`
}

// SearchDeleted ends a saved search.
type SearchDeleted struct {
	Search  domain.SearchID  `json:"search"`
	Account domain.AccountID `json:"account"`
	At      time.Time        `json:"at"`
}

// EventName implements domain.Event.
func (BoardCreated) EventName() string { return "library.board_created.v1" }

// EventName implements domain.Event.
func (BoardRenamed) EventName() string { return "library.board_renamed.v1" }

// EventName implements domain.Event.
func (BoardDeleted) EventName() string { return "library.board_deleted.v1" }

// EventName implements domain.Event.
func (SearchSaved) EventName() string { return "library.search_saved.v1" }

// EventName implements domain.Event.
func (SearchDeleted) EventName() string { return "library.search_deleted.v1" }

// Events returns the type of every event of the library stream.
func Events() []domain.EventType {
	return []domain.EventType{
		domain.TypeOf[BoardCreated](),
		domain.TypeOf[BoardRenamed](),
		domain.TypeOf[BoardDeleted](),
		domain.TypeOf[SearchSaved](),
		domain.TypeOf[SearchDeleted](),
	}
}
