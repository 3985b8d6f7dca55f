package image

import (
	"time"

	"github.com/pingvas/pingvas/domain"
)

// Tagged replaces the tags of the image.
type Tagged struct {
	Image   domain.ImageID   `json:"image"`
	Account domain.AccountID `json:"account"`
	Tags    []string         `json:"tags"`
	At      time.Time        `json:"at"`
}

// Favourited sets or clears the favourite mark.
type Favourited struct {
	Image     domain.ImageID   `json:"image"`
	Account   domain.AccountID `json:"account"`
	Favourite bool             `json:"favourite"`
	At        time.Time        `json:"at"`
}

// Rated gives the image stars: 1 to 5, or 0 for none.
type Rated struct {
	Image   domain.ImageID   `json:"image"`
	Account domain.AccountID `json:"account"`
	Rating  int              `json:"rating"`
	At      time.Time        `json:"at"`
}

// Filed puts the image on these boards and on no others. All of them exist when it happens; the end of a board takes
// the image off it without an event of the image.
type Filed struct {
	Image   domain.ImageID   `json:"image"`
	Account domain.AccountID `json:"account"`
	Boards  []domain.BoardID `json:"boards"`
	At      time.Time        `json:"at"`
}

// Deleted ends the image: it leaves every view, and its files are removed.
type Deleted struct {
	Image   domain.ImageID   `json:"image"`
	Account domain.AccountID `json:"account"`
	Keys    []string         `json:"keys"` // objects in the picture store
	At      time.Time        `json:"at"`
}

// EventName implements domain.Event.
func (Tagged) EventName() string { return "image.tagged.v1" }

// EventName implements domain.Event.
func (Favourited) EventName() string { return "image.favourited.v1" }

// EventName implements domain.Event.
func (Rated) EventName() string { return "image.rated.v1" }

// EventName implements domain.Event.
func (Filed) EventName() string { return "image.filed.v1" }

// EventName implements domain.Event.
func (Deleted) EventName() string { return "image.deleted.v1" }

// Events returns the type of every event of the image stream.
func Events() []domain.EventType {
	return []domain.EventType{
		domain.TypeOf[Tagged](),
		domain.TypeOf[Favourited](),
		domain.TypeOf[Rated](),
		domain.TypeOf[Filed](),
		domain.TypeOf[Deleted](),
	}
}
