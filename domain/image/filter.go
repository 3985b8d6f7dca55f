package image

import (
	"slices"

	"github.com/pingvas/pingvas/domain"
)

// Unfiled stands in a filter for the images that are on no board.
const Unfiled domain.BoardID = "none"

// Filter is the part of a gallery filter that a customer's own doing decides. The zero value lets every image through.
type Filter struct {
	Tags      []string // all must be there; letter case is set aside
	Favourite *bool
	Board     domain.BoardID // or Unfiled
	RatingMin int
	RatingMax *int
}

// Matches reports whether an image that is not deleted goes through the filter. The boards of the state must exist.
func (f Filter) Matches(s State) bool {
	switch {
	case s.Deleted || s.Rating < f.RatingMin || f.RatingMax != nil && s.Rating > *f.RatingMax:
		return false
	case f.Favourite != nil && *f.Favourite != s.Favourite:
		return false
	case f.Board == Unfiled && len(s.Boards) > 0:
		return false
	case f.Board != "" && f.Board != Unfiled && !slices.Contains(s.Boards, f.Board):
		return false
	}
	return !slices.ContainsFunc(f.Tags, func(want string) bool { return !hasTag(s.Tags, want) })
}
