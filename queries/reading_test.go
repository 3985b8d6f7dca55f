package queries_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/image"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/projections/balance"
	"github.com/pingvas/pingvas/projections/gallery"
	"github.com/pingvas/pingvas/projections/generations"
	"github.com/pingvas/pingvas/projections/projectiontest"
	"github.com/pingvas/pingvas/projections/search"
	"github.com/pingvas/pingvas/queries"
)

var errBroken = errors.New("broken")

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := queries.New(queries.Config{CursorKey: []byte("short")})
	for _, missing := range []string{"pool", "ledger", "5 bytes"} {
		require.ErrorContains(t, err, missing)
	}
}

func TestNothingOfAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 40, 500)
	mine, theirs := f.Accounts[0], f.Accounts[1]
	r := f.read(mine)
	for _, job := range theirs.Generations {
		_, _, err := f.service.Generation(t.Context(), r, job.ID)
		requireCode(t, domain.CodeNotFound, err)
		page, _, err := f.service.Statement(t.Context(), r, queries.StatementQuery{Generation: job.ID})
		require.NoError(t, err)
		require.Empty(t, page.Lines)
		made := queries.ImageFilter{Generation: job.ID}
		images, _, err := f.service.Images(t.Context(), r, queries.ImagesQuery{ImageFilter: made})
		require.NoError(t, err)
		require.Empty(t, images.Images)
	}
	require.NotEmpty(t, theirs.Images)
	for _, picture := range theirs.Images {
		_, _, err := f.service.Image(t.Context(), r, picture.ID)
		requireCode(t, domain.CodeNotFound, err)
	}
	_, _, err := f.service.Account(t.Context(), queries.Read{Account: "acc_00000000000000000000000000"})
	requireCode(t, domain.CodeNotFound, err)
}

func TestCursors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 41, 300)
	mine, theirs := f.read(f.Accounts[0]), f.read(f.Accounts[1])
	page, _, err := f.service.Statement(t.Context(), mine, queries.StatementQuery{Page: queries.Page{Limit: 1}})
	require.NoError(t, err)
	good := page.Next
	require.NotEmpty(t, good)
	_, _, err = f.service.Statement(t.Context(), mine, queries.StatementQuery{Page: queries.Page{Cursor: good, Limit: 9}})
	require.NoError(t, err, "the limit may change from page to page")

	_, _, err = f.service.Statement(t.Context(), theirs, queries.StatementQuery{Page: queries.Page{Cursor: good}})
	requireInvalid(t, "cursor", err)
	_, _, err = f.service.Statement(t.Context(), mine, queries.StatementQuery{
		Page: queries.Page{Cursor: good}, Generation: "gen_00000000000000000000000001",
	})
	requireInvalid(t, "cursor", err)
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for _, bad := range []string{
		"x", "AAAA", string(flipped), good + "A", good[:len(good)-1], "\x00", string(make([]byte, 5000)),
	} {
		p := queries.Page{Cursor: bad}
		_, _, err = f.service.Statement(t.Context(), mine, queries.StatementQuery{Page: p})
		requireInvalid(t, "cursor", err)
		_, _, err = f.service.Generations(t.Context(), mine, queries.GenerationsQuery{Page: p})
		requireInvalid(t, "cursor", err)
		_, _, err = f.service.Images(t.Context(), mine, queries.ImagesQuery{Page: p})
		requireInvalid(t, "cursor", err)
		_, _, err = f.service.Search(t.Context(), mine, queries.SearchQuery{Page: p})
		requireInvalid(t, "cursor", err)
	}
	_, _, err = f.service.Generations(t.Context(), mine, queries.GenerationsQuery{Page: queries.Page{Cursor: good}})
	requireInvalid(t, "cursor", err)
	for _, limit := range []int{-1, queries.LimitMax + 1} {
		_, _, err = f.service.Images(t.Context(), mine, queries.ImagesQuery{Page: queries.Page{Limit: limit}})
		requireInvalid(t, "limit", err)
	}
}

func TestMinPosition(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 42, 100)
	c := f.Accounts[0]
	other := f.head(t, c)
	other.Shard = (other.Shard + 1) % projectiontest.Shards
	_, _, err := f.service.Account(t.Context(), queries.Read{Account: c.ID, Min: other})
	requireInvalid(t, "min_position", err)

	reached := f.head(t, c)
	_, as, err := f.service.Account(t.Context(), queries.Read{Account: c.ID, Min: reached})
	require.NoError(t, err)
	require.Equal(t, queries.As{Position: reached}, as)

	f.Play(200)
	ahead := f.head(t, c)
	require.Greater(t, ahead.Pos, reached.Pos)
	_, as, err = f.service.Account(t.Context(), queries.Read{Account: c.ID, Min: ahead})
	require.NoError(t, err)
	require.Equal(t, queries.As{Position: reached, Stale: true}, as, "nobody moves the view on")

	stop := projectiontest.Live(t, f.config(balance.New()))
	defer stop()
	a, as, err := f.service.Account(t.Context(), queries.Read{Account: c.ID, Min: ahead})
	require.NoError(t, err)
	require.Equal(t, queries.As{Position: ahead}, as)
	require.EqualValues(t, len(c.Facts), a.Version)
}

// made requests a generation after the views have stopped.
func (f *fixture) made(t *testing.T) (*projectiontest.Customer, *projectiontest.Job) {
	t.Helper()
	for _, c := range f.Accounts {
		if job := f.Request(c, "a cat", nil); job != nil {
			return c, job
		}
	}
	require.Fail(t, "every account refuses")
	return nil, nil
}

func TestANewGenerationIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 43, 50)
	c, job := f.made(t)
	before := time.Now()
	_, _, err := f.service.Generation(t.Context(), f.read(c), job.ID)
	requireCode(t, domain.CodeNotFound, err)
	require.GreaterOrEqual(t, time.Since(before), time.Second, "it waits for the views before it says so")
	stopJobs := projectiontest.Live(t, f.config(generations.New()))
	stopGallery := projectiontest.Live(t, f.config(gallery.New()))
	defer stopJobs()
	defer stopGallery()
	g, _, err := f.service.Generation(t.Context(), f.read(c), job.ID)
	require.NoError(t, err)
	require.Equal(t, generation.StatusQueued, g.Status)
}

func TestImagesAreWaitedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 44, 50)
	c, job := f.made(t)
	require.True(t, f.Do(c, job, generation.Claim{Worker: "w", LeaseUntil: f.Now.Add(time.Hour), At: f.Now}))
	require.True(t, f.Do(c, job, f.Completion(job, 1)))
	f.catchUp(t, generations.New())
	g, as, err := f.service.Generation(t.Context(), f.read(c), job.ID)
	require.NoError(t, err)
	require.Equal(t, generation.StatusSucceeded, g.Status)
	require.Empty(t, g.Images, "the gallery does not know them yet")
	require.Less(t, as.Position.Pos, f.head(t, c).Pos, "and the answer says so")
	stop := projectiontest.Live(t, f.config(gallery.New()))
	defer stop()
	g, as, err = f.service.Generation(t.Context(), f.read(c), job.ID)
	require.NoError(t, err)
	require.Len(t, g.Images, 1)
	require.Equal(t, f.head(t, c), as.Position)
}

func TestOpenJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 45, 500)
	positions, err := f.service.JobsPosition(t.Context())
	require.NoError(t, err)
	require.Len(t, positions, projectiontest.Shards)
	heads, err := f.Ledger.Heads(t.Context())
	require.NoError(t, err)
	for shard, head := range heads {
		require.Equal(t, eventstore.Position{Shard: shard, Pos: head.Pos}, positions[shard])
	}
	jobs, err := f.service.OpenJobs(t.Context(), "")
	require.NoError(t, err)
	open := map[domain.GenerationID]generation.State{}
	for _, c := range f.Accounts {
		for _, job := range c.Generations {
			if !job.State.Status.Final() {
				open[job.ID] = job.State
			}
		}
	}
	require.Len(t, jobs, len(open))
	require.NotEmpty(t, jobs)
	var queued, running int64
	for i, j := range jobs {
		s := open[j.Generation]
		require.Equal(t, queries.OpenJob{
			Generation: s.Request.Generation, Account: s.Request.Account, Pool: s.Request.Pool, Tier: s.Request.Tier,
			Model: s.Request.Spec.Model, EstimateMS: s.Request.EstimateMillis, Attempt: s.Attempt, Status: s.Status,
			Worker: s.Worker, LeaseUntil: s.LeaseUntil, EnqueuedAt: s.Request.At, Deadline: s.Request.Deadline,
		}, j)
		rest, err := f.service.OpenJobs(t.Context(), j.Generation)
		require.NoError(t, err)
		require.Equal(t, jobs[i+1:], append([]queries.OpenJob{}, rest...))
		if j.Status == generation.StatusQueued {
			queued++
		} else {
			running++
		}
	}
	requireBacklog(t, f, queued, running)
	requireQueuePlaces(t, f, jobs)
	requireDue(t, f, jobs)
}

func requireBacklog(t *testing.T, f *fixture, queued, running int64) {
	t.Helper()
	rows, err := f.service.Backlog(t.Context())
	require.NoError(t, err)
	for _, row := range rows {
		require.Equal(t, 9000*row.Queued, row.QueuedMS)
		require.Equal(t, 9000*row.Running, row.RunningMS)
		queued, running = queued-row.Queued, running-row.Running
	}
	require.Zero(t, queued)
	require.Zero(t, running)
}

func requireQueuePlaces(t *testing.T, f *fixture, jobs []queries.OpenJob) {
	t.Helper()
	for _, j := range jobs {
		ahead := 0
		for _, other := range jobs {
			if other.Status == generation.StatusQueued && other.Tier == j.Tier && other.Generation < j.Generation {
				ahead++
			}
		}
		g, _, err := f.service.Generation(t.Context(), queries.Read{Account: j.Account}, j.Generation)
		require.NoError(t, err)
		if j.Status == generation.StatusRunning {
			require.Nil(t, g.Queue)
			continue
		}
		want := queries.QueuePlace{Ahead: ahead, AheadMS: int64(ahead) * 9000, Retrying: j.Attempt > 1}
		require.Equal(t, &want, g.Queue)
	}
}

func requireDue(t *testing.T, f *fixture, jobs []queries.OpenJob) {
	t.Helper()
	for _, now := range []time.Time{f.Now, f.Now.Add(time.Hour), f.Now.AddDate(1, 0, 0)} {
		due, err := f.service.Due(t.Context(), now)
		require.NoError(t, err)
		var leases, deadlines []queries.DueJob
		for _, j := range jobs {
			leased := j.LeaseUntil.After(now)
			if j.Status == generation.StatusRunning && !leased {
				leases = append(leases, queries.DueJob{Generation: j.Generation, Account: j.Account})
			}
			if !j.Deadline.After(now) && !leased {
				deadlines = append(deadlines, queries.DueJob{Generation: j.Generation, Account: j.Account})
			}
		}
		require.ElementsMatch(t, leases, due.Leases)
		require.ElementsMatch(t, deadlines, due.Deadlines)
		var accounts []domain.AccountID
		for _, c := range f.Accounts {
			if c.State.At(now) != c.State {
				accounts = append(accounts, c.ID)
			}
		}
		require.ElementsMatch(t, accounts, due.Accounts)
	}
}

func TestPositionsAreOfTheAccountsShard(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 46, 50)
	for _, c := range f.Accounts {
		_, as, err := f.service.Balance(t.Context(), f.read(c), time.Time{})
		require.NoError(t, err)
		require.Equal(t, eventstore.ShardOf(c.ID, projectiontest.Shards), as.Position.Shard)
	}
}

// TestSearchKnowsWhatBothViewsKnow lets the index and the gallery go different ways.
func TestSearchKnowsWhatBothViewsKnow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, 47, 50)
	c, job := f.made(t)
	indexed := f.head(t, c)
	f.catchUp(t, search.New(f.engine))
	require.True(t, f.Do(c, job, generation.Claim{Worker: "w", LeaseUntil: f.Now.Add(time.Hour), At: f.Now}))
	require.True(t, f.Do(c, job, f.Completion(job, 1)))
	f.catchUp(t, gallery.New())
	before, as, err := f.service.Search(t.Context(), f.read(c), queries.SearchQuery{})
	require.NoError(t, err)
	require.Equal(t, indexed, as.Position, "the index is behind")

	f.catchUp(t, search.New(f.engine))
	after, as, err := f.service.Search(t.Context(), f.read(c), queries.SearchQuery{})
	require.NoError(t, err)
	require.Equal(t, f.head(t, c), as.Position)
	require.Len(t, after.Images, len(before.Images)+1)

	picture := c.Images[len(c.Images)-1]
	f.Mark(c, picture, image.Delete{Image: picture.ID, Account: c.ID, Keys: []string{"k"}, At: f.Now})
	f.catchUp(t, gallery.New())
	left, _, err := f.service.Search(t.Context(), f.read(c), queries.SearchQuery{})
	require.NoError(t, err)
	require.Equal(t, before.Images, left.Images, "what the gallery has no more is not shown")
}
