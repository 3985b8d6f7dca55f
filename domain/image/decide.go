package image

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pingvas/pingvas/domain"
)

// Bounds of tags.
const (
	TagsMax     = 32
	TagRunesMax = 64
)

// State is an image folded from its events.
type State struct {
	// Tags is nil until the customer tags the image: until then it has the tags of its request.
	Tags      []string
	Favourite bool
	Deleted   bool
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

// Delete ends the image. Deleting it again changes nothing.
type Delete struct {
	Image   domain.ImageID
	Account domain.AccountID
	Keys    []string
	At      time.Time
}

func (Tag) command()       {}
func (Favourite) command() {}
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
	case Deleted:
		s.Deleted = true
		return s
	}
	panic(fmt.Sprintf("image: event %T is not folded", e))
}

// Check returns the first invariant that the state breaks, or nil.
func Check(s State) error {
	if len(s.Tags) > TagsMax {
		return fmt.Errorf("%d tags", len(s.Tags))
	}
	return nil
}

// NormalTags trims the tags, drops empty and repeated ones (letter case set aside) and sorts them. It returns
// CodeInvalid at /tags for more than TagsMax tags, for one longer than TagRunesMax, and for control characters.
func NormalTags(tags []string) ([]string, error) {
	seen := map[string]bool{}
	normal := []string{}
	for _, tag := range tags {
		tag = strings.Join(strings.Fields(tag), " ")
		if !utf8.ValidString(tag) || strings.ContainsFunc(tag, unicode.IsControl) {
			return nil, domain.FieldErrorf("/tags", "a tag holds characters that are not text")
		}
		if utf8.RuneCountInString(tag) > TagRunesMax {
			return nil, domain.FieldErrorf("/tags", "a tag is longer than %d characters", TagRunesMax)
		}
		if folded := strings.ToLower(tag); tag != "" && !seen[folded] {
			seen[folded] = true
			normal = append(normal, tag)
		}
	}
	if len(normal) > TagsMax {
		return nil, domain.FieldErrorf("/tags", "%d tags are more than %d", len(normal), TagsMax)
	}
	slices.Sort(normal)
	return normal, nil
}
