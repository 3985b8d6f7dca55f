package queries_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/queries"
)

func (f *fixture) generations(
	t *testing.T, c *projectiontest.Customer, q queries.GenerationsQuery,
) []queries.Generation {
	t.Helper()
	return all(t, 3, func(p queries.Page) ([]queries.Generation, string, error) {
		q.Page = p
		page, _, err := f.service.Generations(t.Context(), f.read(c), q)
		return page.Generations, page.Next, err
	})
}

func (f *fixture) images(t *testing.T, c *projectiontest.Customer, q queries.ImagesQuery) []queries.Image {
	t.Helper()
	return all(t, 3, func(p queries.Page) ([]queries.Image, string, error) {
		q.Page = p
		page, _, err := f.service.Images(t.Context(), f.read(c), q)
		return page.Images, page.Next, err
	})
}

func favourite(yes bool) queries.ImageFilter {
	return queries.ImageFilter{Filter: image.Filter{Favourite: &yes}}
}

func withTags(tags ...string) queries.ImageFilter {
	return queries.ImageFilter{Filter: image.Filter{Tags: tags}}
}

// requireGeneration compares with the domain, the account's books and the images.
func requireGeneration(t *testing.T, job *projectiontest.Job, g queries.Generation) {
	t.Helper()
	s := job.State
	require.Equal(t, s.Request.Generation, g.ID)
	require.Equal(t, s.Status, g.Status)
	require.Equal(t, s.Request.Spec, g.Spec)
	require.Equal(t, s.Worker, g.Worker)
	require.Equal(t, s.Attempt, g.Attempt)
	require.Equal(t, s.Request.Deadline, g.Deadline)
	require.Equal(t, s.Request.At, g.CreatedAt)
	require.Equal(t, s.Status.Final(), !g.EndedAt.IsZero())
	require.Equal(t, s.Status == generation.StatusQueued, g.Queue != nil)
	if s.Status == generation.StatusFailed || s.Status == generation.StatusBlocked {
		require.Equal(t, s.Cause, g.Cause)
	}
	c := g.Settlement
	require.Equal(t, s.Request.Reserved, c.Quoted)
	require.Equal(t, c.Quoted, c.Reserved+c.Settled+c.Released)
	require.LessOrEqual(t, c.Waived, c.Released)
	sums := map[domain.Book]domain.Credits{}
	for _, p := range c.Postings {
		sums[p.Book] += p.Amount
	}
	require.Equal(t, c.Reserved, sums[domain.BookReserved])
	require.Equal(t, c.Settled, sums[domain.BookConsumed])
	require.Equal(t, -c.Reserved-c.Settled, sums[domain.BookAvailable])
	require.NotEmpty(t, c.Policy)
	require.NotEmpty(t, c.PriceBook)
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 36, 600)
	seen := map[generation.Status]bool{}
	for _, c := range f.Accounts {
		list := f.generations(t, c, queries.GenerationsQuery{})
		require.Len(t, list, len(c.Generations))
		slices.Reverse(list)
		var open int
		for i, job := range c.Generations {
			requireGeneration(t, job, list[i])
			seen[list[i].Status] = true
			if !job.State.Status.Final() {
				open++
			}
			one, as, err := f.service.Generation(t.Context(), f.read(c), job.ID)
			require.NoError(t, err)
			require.Equal(t, list[i], one)
			require.Equal(t, f.head(t, c), as.Position)
			require.Equal(t, as.Position.Shard, one.Changed.Shard)
			require.Positive(t, one.Changed.Pos)
		}
		require.Len(t, f.generations(t, c, queries.GenerationsQuery{Open: true}), open)
		for _, g := range f.generations(t, c, queries.GenerationsQuery{Status: generation.StatusSucceeded}) {
			require.Equal(t, generation.StatusSucceeded, g.Status)
		}
	}
	require.Len(t, seen, 7, "the history must have every status: %v", seen)
}

func TestImagesAndTheirShares(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 34, 600)
	for _, c := range f.Accounts {
		list := f.images(t, c, queries.ImagesQuery{})
		var alive, favourites []domain.ImageID
		for _, p := range c.Images {
			got, _, err := f.service.Image(t.Context(), f.read(c), p.ID)
			if p.State.Deleted {
				requireCode(t, domain.CodeNotFound, err)
				continue
			}
			require.NoError(t, err)
			require.Contains(t, list, got)
			require.Equal(t, p.State.Favourite, got.Favourite)
			require.Equal(t, p.State.Rating, got.Rating)
			if p.State.Tags != nil {
				require.Equal(t, p.State.Tags, got.Tags)
			}
			alive = append(alive, p.ID)
			if p.State.Favourite {
				favourites = append(favourites, p.ID)
			}
		}
		require.Len(t, list, len(alive))
		require.NotEmpty(t, alive)
		require.Len(t, f.images(t, c, queries.ImagesQuery{ImageFilter: favourite(true)}), len(favourites))
		require.Len(t, f.images(t, c, queries.ImagesQuery{ImageFilter: favourite(false)}), len(alive)-len(favourites))
		require.True(t, slices.IsSortedFunc(list, func(a, b queries.Image) int {
			return b.CreatedAt.Compare(a.CreatedAt)
		}))
		for _, g := range f.generations(t, c, queries.GenerationsQuery{Status: generation.StatusSucceeded}) {
			requireShares(t, f, c, g)
		}
	}
}

// requireShares checks the images of a generation, as far as they are not deleted.
func requireShares(t *testing.T, f *fixture, c *projectiontest.Customer, g queries.Generation) {
	t.Helper()
	job := c.Generations[slices.IndexFunc(c.Generations, func(j *projectiontest.Job) bool { return j.ID == g.ID })]
	delivered := domain.Credits(len(job.State.Images))
	var sum domain.Credits
	for _, i := range g.Images {
		require.Equal(t, g.Spec, i.Spec)
		require.Equal(t, "sketch", i.Engine)
		require.NotNil(t, i.Credits)
		sum += *i.Credits
		require.InDelta(t, float64(g.Settlement.Settled)/float64(delivered), float64(*i.Credits), float64(delivered))
	}
	if len(g.Images) == int(delivered) {
		require.Equal(t, g.Settlement.Settled, sum)
	}
	made := queries.ImageFilter{Generation: g.ID}
	require.ElementsMatch(t, g.Images, f.images(t, c, queries.ImagesQuery{ImageFilter: made}))
}

func TestImageFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 32, 600)
	tagged := 0
	for _, c := range f.Accounts {
		list := f.images(t, c, queries.ImagesQuery{})
		for _, tag := range []string{"Winter", "고양이", "none"} {
			var want []queries.Image
			for _, i := range list {
				if slices.Contains(i.Tags, tag) {
					want = append(want, i)
				}
			}
			tagged += len(want)
			require.Equal(t, want, f.images(t, c, queries.ImagesQuery{ImageFilter: withTags(strings.ToUpper(tag))}))
		}
		dev := f.images(t, c, queries.ImagesQuery{ImageFilter: queries.ImageFilter{Model: "flux-dev"}})
		xl := f.images(t, c, queries.ImagesQuery{ImageFilter: queries.ImageFilter{Model: "sdxl-1.0"}})
		require.Len(t, list, len(dev)+len(xl))
	}
	require.Positive(t, tagged)
}

func TestSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 33, 600)
	hits := 0
	for _, c := range f.Accounts {
		list := f.images(t, c, queries.ImagesQuery{})
		found := all(t, 2, func(p queries.Page) ([]queries.Image, string, error) {
			page, as, err := f.service.Search(t.Context(), f.read(c), queries.SearchQuery{Page: p})
			require.EqualValues(t, len(list), page.Total)
			require.Equal(t, f.head(t, c), as.Position)
			return page.Images, page.Next, err
		})
		require.Equal(t, list, found)
		page, _, err := f.service.Search(t.Context(), f.read(c), queries.SearchQuery{Words: "고양이"})
		require.NoError(t, err)
		for _, i := range page.Images {
			require.Contains(t, i.Spec.Prompt, "고양이")
		}
		hits += len(page.Images)
	}
	require.Positive(t, hits)
	f.engine.Fail(errBroken)
	_, _, err := f.service.Search(t.Context(), f.read(f.Accounts[0]), queries.SearchQuery{})
	requireCode(t, domain.CodeUnavailable, err)
}

// TestHostileText asks with text that Postgres does not store.
func TestHostileText(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 34, 100)
	r := f.read(f.Accounts[0])
	for _, text := range []string{"\x00", "a\x00b", "\xff", "'; DROP TABLE images; --", strings.Repeat("x", 100_000)} {
		_, _, err := f.service.Images(t.Context(), r, queries.ImagesQuery{ImageFilter: queries.ImageFilter{
			Filter: image.Filter{Tags: []string{text}}, Model: text, Generation: domain.GenerationID(text),
		}})
		require.NoError(t, err)
		_, _, err = f.service.Generations(t.Context(), r, queries.GenerationsQuery{Status: generation.Status(text)})
		require.NoError(t, err)
		_, _, err = f.service.Statement(t.Context(), r, queries.StatementQuery{Generation: domain.GenerationID(text)})
		require.NoError(t, err)
		_, _, err = f.service.Generation(t.Context(), r, domain.GenerationID(text))
		requireCode(t, domain.CodeNotFound, err)
		_, _, err = f.service.Image(t.Context(), r, domain.ImageID(text))
		requireCode(t, domain.CodeNotFound, err)
		_, _, err = f.service.Board(t.Context(), r, domain.BoardID(text))
		requireCode(t, domain.CodeNotFound, err)
		_, _, err = f.service.SavedSearch(t.Context(), r, domain.SearchID(text))
		requireCode(t, domain.CodeNotFound, err)
		onBoard := queries.ImageFilter{Filter: image.Filter{Board: domain.BoardID(text)}}
		_, _, err = f.service.Images(t.Context(), r, queries.ImagesQuery{ImageFilter: onBoard})
		requireCode(t, domain.CodeNotFound, err)
		_, _, err = f.service.CountImages(t.Context(), r, onBoard)
		requireCode(t, domain.CodeNotFound, err)
	}
}

// TestTextThatPostgresCannotHold goes through all views, strictly.
func TestTextThatPostgresCannotHold(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 35, 20)
	c := f.Accounts[0]
	job := f.Request(c, "a \x00 cat", []string{"cat"})
	require.NotNil(t, job)
	require.True(t, f.Do(c, job, generation.Claim{Worker: "w\x00", LeaseUntil: f.Now.Add(1), At: f.Now}))
	require.True(t, f.Do(c, job, f.Completion(job, 1)))
	picture := c.Images[len(c.Images)-1]
	f.Mark(c, picture, image.Tag{Image: picture.ID, Account: c.ID, Tags: []string{"Über"}, At: f.Now})
	f.catchUp(t, f.views()...)
	got, _, err := f.service.Image(t.Context(), f.read(c), picture.ID)
	require.NoError(t, err)
	require.Equal(t, "a \uFFFD cat", got.Spec.Prompt)
	require.Equal(t, []string{"Über"}, got.Tags)
	require.Len(t, f.images(t, c, queries.ImagesQuery{ImageFilter: withTags("über")}), 1)
	require.Equal(t, eventstore.ShardOf(c.ID, projectiontest.Shards), f.head(t, c).Shard)
}
