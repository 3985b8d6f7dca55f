package image_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/domaintest"
	"github.com/pingvas/pingvas/domain/image"
)

const (
	pictureID = domain.ImageID("img_00000000000000000000000001_0")
	accountID = domain.AccountID("acc_00000000000000000000000001")
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTag(t *testing.T) {
	t.Parallel()
	tag := image.Tag{Image: pictureID, Account: accountID, Tags: []string{" sea ", "Bird", "bird"}, At: epoch}
	tagged := image.Tagged{Image: pictureID, Account: accountID, Tags: []string{"Bird", "sea"}, At: epoch}
	s := domaintest.Given(t, image.Decider()).When(tag).Then(tagged)
	require.Equal(t, tagged.Tags, s.State().Tags)
	s.When(tag).Then()
	tag.Tags = []string{"\x00"}
	s.When(tag).Refused(domain.CodeInvalid)
	tag.Tags, tagged.Tags = nil, []string{}
	s.When(tag).Then(tagged).When(tag).Then()
}

func TestFavourite(t *testing.T) {
	t.Parallel()
	mark := image.Favourite{Image: pictureID, Account: accountID, Favourite: true, At: epoch}
	unmark := mark
	unmark.Favourite = false
	s := domaintest.Given(t, image.Decider())
	s.When(unmark).Then().When(mark).Then(image.Favourited(mark)).When(mark).Then()
	require.True(t, s.State().Favourite)
	s.When(unmark).Then(image.Favourited(unmark))
	require.False(t, s.State().Favourite)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	gone := image.Delete{Image: pictureID, Account: accountID, Keys: []string{"a", "b"}, At: epoch}
	s := domaintest.Given(t, image.Decider()).When(gone).Then(image.Deleted(gone)).When(gone).Then()
	require.True(t, s.State().Deleted)
	s.When(image.Tag{Tags: []string{"sea"}}).Refused(domain.CodeNotFound)
	s.When(image.Favourite{Favourite: true}).Refused(domain.CodeNotFound)
	s.When(image.Rate{Rating: 1}).Refused(domain.CodeNotFound)
	s.When(image.File{}).Refused(domain.CodeNotFound)
}

// TestTagsOfTheRequestCanBeCleared shows that no tags at all is a wish too: until the first event the image has the
// tags of its request.
func TestTagsOfTheRequestCanBeCleared(t *testing.T) {
	t.Parallel()
	s := domaintest.Given(t, image.Decider())
	s.When(image.Tag{Image: pictureID, At: epoch}).Then(image.Tagged{Image: pictureID, Tags: []string{}, At: epoch})
	s.When(image.Tag{Image: pictureID, At: epoch}).Then()
	again, err := domaintest.Recode(image.Events(), s.History()...)
	require.NoError(t, err)
	require.Equal(t, s.State(), image.Decider().Fold(image.Initial(), again...), "JSON must not change the fold")
}

func TestNormalTags(t *testing.T) {
	t.Parallel()
	many := make([]string, image.TagsMax+1)
	for i := range many {
		many[i] = fmt.Sprintf("tag %02d", i)
	}
	long := strings.Repeat("길", 64) // the API promises it
	tests := []struct {
		name string
		tags []string
		want []string // nil for a refusal
	}{
		{"none", nil, []string{}},
		{"sorted", []string{"b", "a"}, []string{"a", "b"}},
		{"space", []string{"  a \t b\n", "", " "}, []string{"a b"}},
		{"letter case", []string{"Sea", "sea", "SEA"}, []string{"Sea"}},
		{"korean", []string{"바다", "고양이"}, []string{"고양이", "바다"}},
		{"longest", []string{long}, []string{long}},
		{"too long", []string{long + "a"}, nil},
		{"most", many[:image.TagsMax], many[:image.TagsMax]},
		{"too many", many, nil},
		{"repeated ones do not count", append(slices.Clone(many[:image.TagsMax]), many[0]), many[:image.TagsMax]},
		{"control character", []string{"a\x00b"}, nil},
		{"not text", []string{"a\xffb"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := image.NormalTags(test.tags)
			require.Equal(t, test.want, got)
			if test.want == nil {
				var refusal *domain.Error
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, domain.CodeInvalid, refusal.Code)
				require.Equal(t, "/tags", refusal.Field)
			}
		})
	}
}

func TestNormalTagsLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOf(rapid.String()).Draw(t, "tags")
		before := slices.Clone(tags)
		normal, err := image.NormalTags(tags)
		require.Equal(t, before, tags, "the argument must stay as it is")
		if err != nil {
			require.Equal(t, domain.CodeInvalid, domain.CodeOf(err))
			return
		}
		again, err := image.NormalTags(normal)
		require.NoError(t, err)
		require.Equal(t, normal, again, "normal tags must be normal")
		require.True(t, slices.IsSorted(normal))
		require.NoError(t, image.Check(image.State{Tags: normal}))
	})
}

func TestCheckFindsBrokenStates(t *testing.T) {
	t.Parallel()
	require.NoError(t, image.Check(image.State{Tags: make([]string, image.TagsMax)}))
	require.ErrorContains(t, image.Check(image.State{Tags: make([]string, image.TagsMax+1)}), "33 tags")
	require.NoError(t, image.Check(image.State{Boards: make([]domain.BoardID, image.BoardsMax), Rating: image.RatingMax}))
	require.ErrorContains(t, image.Check(image.State{Boards: make([]domain.BoardID, image.BoardsMax+1)}), "33 boards")
	require.ErrorContains(t, image.Check(image.State{Rating: image.RatingMax + 1}), "a rating of 6")
	require.ErrorContains(t, image.Check(image.State{Rating: -1}), "a rating of -1")
}

func TestProgrammingErrorsPanic(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "image: command <nil> is not decided", func() { _, _ = image.Decide(image.Initial(), nil) })
	require.PanicsWithValue(t, "image: event <nil> is not folded", func() { image.Evolve(image.Initial(), nil) })
}
