package image

import (
	"fmt"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
)

// RatingMax is the most stars that an image can have.
const RatingMax = 5

// State is an image folded from its events.
type State struct {
	// Tags is nil until the customer tags the image: until then it has the tags of its request.
	Tags      []string
	Favourite bool
	Rating    int // 0 is none
	// Boards are those that the image was put on, sorted. Some of them may have ended since.
	Boards  []domain.BoardID
	Deleted bool
}

// Command is a wish that the decider turns into events or refuses.
type Command interface{ command() }

// Tag replaces the tags by the normal form of these: see NormalTags.
type Tag struct {
	Image   domain.ImageID
	Account domain.AccountID
	Tags    []string
	At      time.Time
}

// Favourite sets or clears the favourite mark.
type Favourite struct {
	Image     domain.ImageID
	Account   domain.AccountID
	Favourite bool
	At        time.Time
}

// Rate gives the image stars, or takes them away: 0.
type Rate struct {
	Image   domain.ImageID
	Account domain.AccountID
	Rating  int
	At      time.Time
}

// File puts the image on the normal form of these boards, which must exist: see NormalBoards.
type File struct {
	Image   domain.ImageID
	Account domain.AccountID
	Boards  []domain.BoardID
	At      time.Time
}

// Delete ends the image. Deleting it again changes nothing.
type Delete struct {
	Image   domain.ImageID
	Account domain.AccountID
	Keys    []string
	At      time.Time
}

func (Tag) command()       {}
func (Favourite) command() {}
func (Rate) command()      {}
func (File) command()      {}
func (Delete) command()    {}

// Initial returns an image without tags.
func Initial() State { return State{} }

// Decider returns the image's decider.
func Decider() domain.Decider[State, Command] {
	return domain.Decider[State, Command]{Initial: Initial, Decide: Decide, Evolve: Evolve, Check: Check}
}

// Decide says which events a command causes. A wish for what is already so causes none.
func Decide(s State, c Command) ([]domain.Event, error) {
	if _, again := c.(Delete); s.Deleted && !again {
		return nil, domain.Errorf(domain.CodeNotFound, "the image was deleted")
	}
	switch c := c.(type) {
	case Tag:
		tags, err := NormalTags(c.Tags)
		if err != nil || s.Tags != nil && slices.Equal(tags, s.Tags) {
			return nil, err
		}
		return []domain.Event{Tagged{c.Image, c.Account, tags, c.At}}, nil
	case Favourite:
		if c.Favourite == s.Favourite {
			return nil, nil
		}
		return []domain.Event{Favourited(c)}, nil
	case Rate:
		if c.Rating < 0 || c.Rating > RatingMax {
			return nil, domain.FieldErrorf("/rating", "must be between 0 and %d, not %d", RatingMax, c.Rating)
		}
		if c.Rating == s.Rating {
			return nil, nil
		}
		return []domain.Event{Rated(c)}, nil
	case File:
		boards, err := NormalBoards(c.Boards)
		if err != nil || slices.Equal(boards, s.Boards) {
			return nil, err
		}
		return []domain.Event{Filed{c.Image, c.Account, boards, c.At}}, nil
	case Delete:
		if s.Deleted {
			return nil, nil
		}
		return []domain.Event{Deleted(c)}, nil
	}
	panic(fmt.Sprintf("image: command %T is not decided", c))
}

// Evolve folds one event into the state.
func Evolve(s State, e domain.Event) State {
	switch e := e.(type) {
	case Tagged:
		s.Tags = e.Tags
		return s
	case Favourited:
		s.Favourite = e.Favourite
		return s
	case Rated:
		s.Rating = e.Rating
		return s
	case Filed:
		s.Boards = e.Boards
		return s
	case Deleted:
		s.Deleted = true
		return s
	}
	panic(fmt.Sprintf("image: event %T is not folded", e))
}

// Check returns the first invariant that the state breaks, or nil.
func Check(s State) error {
	switch {
	case len(s.Tags) > TagsMax:
		return fmt.Errorf("%d tags", len(s.Tags))
	case len(s.Boards) > BoardsMax:
		return fmt.Errorf("%d boards", len(s.Boards))
	case s.Rating < 0 || s.Rating > RatingMax:
		return fmt.Errorf("a rating of %d", s.Rating)
	}
	return nil
}
