package image_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/image"
)

func board(n int) domain.BoardID { return domain.BoardID(fmt.Sprintf("brd_%026d", n)) }

func TestRate(t *testing.T) {
	t.Parallel()
	rate := image.Rate{Image: pictureID, Account: accountID, At: epoch}
	s := domaintest.Given(t, image.Decider())
	s.When(rate).Then()
	for _, stars := range []int{5, 1, 0} {
		rate.Rating = stars
		s.When(rate).Then(image.Rated(rate)).When(rate).Then()
		require.Equal(t, stars, s.State().Rating)
	}
	for _, stars := range []int{-1, 6} {
		rate.Rating = stars
		s.When(rate).Refused(domain.CodeInvalid)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	some := []domain.BoardID{board(2), board(1), board(2)}
	file := image.File{Image: pictureID, Account: accountID, Boards: some, At: epoch}
	filed := image.Filed{Image: pictureID, Account: accountID, Boards: []domain.BoardID{board(1), board(2)}, At: epoch}
	s := domaintest.Given(t, image.Decider())
	s.When(image.File{Image: pictureID, At: epoch}).Then()
	s.When(file).Then(filed).When(file).Then()
	require.Equal(t, filed.Boards, s.State().Boards)
	for n := range image.BoardsMax + 1 {
		file.Boards = append(file.Boards, board(n))
	}
	s.When(file).Refused(domain.CodeInvalid)
	file.Boards, filed.Boards = nil, []domain.BoardID{}
	s.When(file).Then(filed).When(file).Then()
}

func TestWithoutTags(t *testing.T) {
	t.Parallel()
	tags := []string{"Sea", "바다", "night"}
	require.Equal(t, []string{"night"}, image.WithoutTags(tags, []string{"SEA", "바다", "none"}))
	require.Equal(t, []string{"Sea", "바다", "night"}, tags, "the argument must stay as it is")
}

// TestFilterLaws compares with each condition alone.
func TestFilterLaws(t *testing.T) {
	t.Parallel()
	all := []string{"Sea", "night", "바다"}
	require.True(t, image.Filter{}.Matches(image.State{}))
	rapid.Check(t, func(t *rapid.T) {
		s := image.State{
			Tags:      rapid.SliceOfDistinct(rapid.SampledFrom(all), rapid.ID).Draw(t, "tags"),
			Favourite: rapid.Bool().Draw(t, "fav"),
			Rating:    rapid.IntRange(0, 5).Draw(t, "rating"), Deleted: rapid.Bool().Draw(t, "deleted"),
		}
		if rapid.Bool().Draw(t, "filed") {
			s.Boards = []domain.BoardID{board(1)}
		}
		yes, most := rapid.Bool().Draw(t, "yes"), rapid.IntRange(0, 5).Draw(t, "most")
		least, tag := rapid.IntRange(0, 5).Draw(t, "least"), rapid.SampledFrom(all).Draw(t, "tag")
		for _, one := range []struct {
			filter image.Filter
			want   bool
		}{
			{image.Filter{Favourite: &yes}, s.Favourite == yes},
			{image.Filter{RatingMin: least}, s.Rating >= least},
			{image.Filter{RatingMax: &most}, s.Rating <= most},
			{image.Filter{Tags: []string{strings.ToUpper(tag)}}, slices.Contains(s.Tags, tag)},
			{image.Filter{Board: image.Unfiled}, len(s.Boards) == 0},
			{image.Filter{Board: board(1)}, len(s.Boards) == 1},
			{image.Filter{Board: board(2)}, false},
			{image.Filter{RatingMin: least, Tags: []string{tag}}, s.Rating >= least && slices.Contains(s.Tags, tag)},
			{image.Filter{Tags: all}, len(s.Tags) == len(all)},
		} {
			require.Equal(t, one.want && !s.Deleted, one.filter.Matches(s), "%+v %+v", one.filter, s)
		}
	})
}
