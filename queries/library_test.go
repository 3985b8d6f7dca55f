package queries_test

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/domain/library"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/queries"
)

// alive returns the images of a customer as the domain has them, with tags and with the boards that exist.
func alive(c *projectiontest.Customer, list []queries.Image) map[domain.ImageID]image.State {
	out := map[domain.ImageID]image.State{}
	for _, p := range c.Images {
		if s := p.State; !s.Deleted {
			s.Boards = c.Library.Existing(s.Boards)
			if s.Tags == nil {
				s.Tags = list[slices.IndexFunc(list, func(i queries.Image) bool { return i.ID == p.ID })].Spec.Tags
			}
			out[p.ID] = s
		}
	}
	return out
}

// TestBoardsAreWhatTheDomainSays compares boards, their counts and covers, and what the images say of them.
func TestBoardsAreWhatTheDomainSays(t *testing.T) {
	t.Parallel()
	filed, ended := 0, 0
	for seed := range uint64(3) {
		f := newFixture(t, 70+seed, 900)
		for _, c := range f.Accounts {
			list := f.images(t, c, queries.ImagesQuery{})
			states := alive(c, list)
			boards, as, err := f.service.Boards(t.Context(), f.read(c))
			require.NoError(t, err)
			require.Equal(t, f.head(t, c), as.Position)
			require.Len(t, boards, len(c.Library.Boards))
			for _, b := range boards {
				kept, ok := c.Library.Board(b.ID)
				require.True(t, ok)
				require.Equal(t, kept.Name, b.Name)
				on := slices.DeleteFunc(slices.Clone(list), func(i queries.Image) bool {
					return !slices.Contains(states[i.ID].Boards, b.ID)
				})
				filed += len(on)
				require.EqualValues(t, len(on), b.Images)
				onBoard := queries.ImageFilter{Filter: image.Filter{Board: b.ID}}
				require.ElementsMatch(t, on, f.images(t, c, queries.ImagesQuery{ImageFilter: onBoard}))
				require.Equal(t, len(on) > 0, b.Cover != nil)
				if len(on) > 0 {
					require.Equal(t, &queries.Cover{Image: on[0].ID, ThumbnailKey: on[0].ThumbnailKey}, b.Cover)
				}
				one, _, err := f.service.Board(t.Context(), f.read(c), b.ID)
				require.NoError(t, err)
				require.Equal(t, b, one)
				for _, other := range f.Accounts {
					if other != c {
						_, _, err := f.service.Board(t.Context(), f.read(other), b.ID)
						requireCode(t, domain.CodeNotFound, err)
						_, _, err = f.service.Images(t.Context(), f.read(other), queries.ImagesQuery{ImageFilter: onBoard})
						requireCode(t, domain.CodeNotFound, err)
					}
				}
			}
			for _, i := range list {
				require.ElementsMatch(t, states[i.ID].Boards, i.Boards)
			}
			for _, p := range c.Images {
				ended += len(p.State.Boards) - len(c.Library.Existing(p.State.Boards))
			}
		}
	}
	require.Positive(t, filed)
	require.Positive(t, ended, "some images must have been on boards that ended")
}

// TestFiltersAreThoseOfTheDomain compares what Postgres finds with what the domain lets through.
func TestFiltersAreThoseOfTheDomain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 74, 1200)
	yes, two := true, 2
	found := make([]int, 8)
	for _, c := range f.Accounts {
		list := f.images(t, c, queries.ImagesQuery{})
		states := alive(c, list)
		filters := []image.Filter{
			{RatingMin: 3}, {RatingMax: &two}, {RatingMin: 1, RatingMax: &two}, {Board: image.Unfiled},
			{Tags: []string{"WINTER", "고양이"}}, {Favourite: &yes, RatingMin: 1}, {Board: image.Unfiled, RatingMin: 2},
		}
		if boards := c.Library.Boards; len(boards) > 0 {
			filters = append(filters, image.Filter{Board: boards[0].ID, RatingMin: 1})
		}
		for n, filter := range filters {
			want := slices.DeleteFunc(slices.Clone(list), func(i queries.Image) bool { return !filter.Matches(states[i.ID]) })
			found[n] += len(want)
			q := queries.ImagesQuery{ImageFilter: queries.ImageFilter{Filter: filter}}
			requireSame(t, want, f.images(t, c, q))
			q.ByRating = true
			slices.SortStableFunc(want, func(a, b queries.Image) int { return cmp.Compare(b.Rating, a.Rating) })
			requireSame(t, want, f.images(t, c, q))
			count, _, err := f.service.CountImages(t.Context(), f.read(c), q.ImageFilter)
			require.NoError(t, err)
			require.Equal(t, queries.ImageCount{Images: int64(len(want))}, count)
		}
		if len(list) > 4 {
			between := queries.ImageFilter{From: list[len(list)-2].CreatedAt, To: list[1].CreatedAt}
			want := slices.DeleteFunc(slices.Clone(list), func(i queries.Image) bool {
				return i.CreatedAt.Before(between.From) || !i.CreatedAt.Before(between.To)
			})
			requireSame(t, want, f.images(t, c, queries.ImagesQuery{ImageFilter: between}))
		}
	}
	for n, count := range found {
		require.Positive(t, count, "filter %d must find something", n)
	}
}

func requireSame(t *testing.T, want, got []queries.Image) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i], got[i])
	}
}

func TestCursorsAreOfOneOrderAndFilter(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 75, 400)
	c := f.Accounts[0]
	first, _, err := f.service.Images(t.Context(), f.read(c), queries.ImagesQuery{Page: queries.Page{Limit: 1}})
	require.NoError(t, err)
	require.NotEmpty(t, first.Next)
	for _, q := range []queries.ImagesQuery{
		{ByRating: true}, {ImageFilter: queries.ImageFilter{Filter: image.Filter{RatingMin: 1}}},
		{ImageFilter: queries.ImageFilter{Filter: image.Filter{Board: image.Unfiled}}}, {ImageFilter: withTags("cat")},
	} {
		q.Cursor = first.Next
		_, _, err := f.service.Images(t.Context(), f.read(c), q)
		requireInvalid(t, "cursor", err)
	}
}

func TestSavedSearches(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 76, 900)
	kept := 0
	for n, c := range f.Accounts {
		list, _, err := f.service.SavedSearches(t.Context(), f.read(c))
		require.NoError(t, err)
		require.Len(t, list, len(c.Library.Searches))
		kept += len(list)
		for _, k := range list {
			want, ok := c.Library.Search(k.ID)
			require.True(t, ok)
			require.Equal(t, want, library.Search{ID: k.ID, Name: k.Name, Query: k.Query})
			one, _, err := f.service.SavedSearch(t.Context(), f.read(c), k.ID)
			require.NoError(t, err)
			require.Equal(t, k, one)
			_, _, err = f.service.SavedSearch(t.Context(), f.read(f.Accounts[(n+1)%len(f.Accounts)]), k.ID)
			requireCode(t, domain.CodeNotFound, err)
		}
	}
	require.Positive(t, kept)
}
