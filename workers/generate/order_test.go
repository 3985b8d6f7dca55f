package generate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers/generate"
)

// jobCost is the time that each job of the simulations takes.
const jobCost = 10 * time.Second

func epoch() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

// queue simulates one worker and the list of open jobs that it sees.
type queue struct {
	now     time.Time
	made    int
	open    []generation.Offer
	history generate.History
}

func newQueue() *queue { return &queue{now: epoch()} }

func (q *queue) add(tier domain.Tier, account string) generation.Offer {
	q.made++
	o := generation.Offer{
		Generation: domain.GenerationID(fmt.Sprintf("gen_%026d", q.made)), Account: account, Pool: "gpu", Tier: tier,
		Model: "m", Attempt: 1, EstimateMillis: jobCost.Milliseconds(), Enqueued: q.now,
	}
	q.open = append(q.open, o)
	return o
}

// take does the next job.
func (q *queue) take() generation.Offer {
	q.history.CatchUp(q.open)
	next := generate.Order(generate.Scene{Offers: q.open, Now: q.now, Limit: 1}, q.history)[0]
	q.history.Take(next, q.now)
	q.open = slices.DeleteFunc(q.open, func(o generation.Offer) bool { return o.Generation == next.Generation })
	q.now = q.now.Add(jobCost)
	return next
}

// picksUntil counts the jobs that are done before this one.
func (q *queue) picksUntil(t require.TestingT, wanted generation.Offer, each func()) int {
	for picks := range 5000 {
		each()
		if q.take().Generation == wanted.Generation {
			return picks
		}
	}
	require.FailNow(t, "starved")
	return 0
}

func drawOffers(r *rapid.T) []generation.Offer {
	q := newQueue()
	for range rapid.IntRange(0, 60).Draw(r, "offers") {
		q.now = epoch().Add(time.Duration(rapid.IntRange(0, 900).Draw(r, "s")) * time.Second)
		tier := rapid.SampledFrom(domain.Tiers()).Draw(r, "tier")
		q.add(tier, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "account"))
	}
	return q.open
}

func TestOrderIsAPureChoiceAmongTheOffers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		offers := drawOffers(r)
		var history generate.History
		for _, o := range offers[:len(offers)/2] {
			history.Take(o, epoch())
		}
		scene := generate.Scene{
			Offers: offers, Now: epoch().Add(time.Hour / 4), Model: "m", Limit: rapid.IntRange(0, 70).Draw(r, "limit"),
		}
		ordered := generate.Order(scene, history)
		require.Len(r, ordered, min(scene.Limit, len(offers)))
		seen := map[domain.GenerationID]bool{}
		for _, o := range ordered {
			require.False(r, seen[o.Generation], "twice")
			require.Contains(r, offers, o)
			seen[o.Generation] = true
		}
		scene.Offers = slices.Clone(offers)
		rand.Shuffle(len(offers), func(i, j int) {
			scene.Offers[i], scene.Offers[j] = scene.Offers[j], scene.Offers[i]
		})
		require.Equal(r, ordered, generate.Order(scene, history), "the order of the list must not matter")
	})
}

func TestSharesFollowWeightsWhenEveryTierWaits(t *testing.T) {
	t.Parallel()
	q, total, picks := newQueue(), 0, 3100
	done := map[domain.Tier]int{}
	for _, tier := range domain.Tiers() {
		total += tier.Weight()
		for i := range 50 {
			q.add(tier, fmt.Sprint(tier, i%7))
		}
	}
	for range picks {
		o := q.take()
		done[o.Tier]++
		q.add(o.Tier, o.Account)
	}
	for _, tier := range domain.Tiers() {
		require.InEpsilon(t, picks*tier.Weight()/total, done[tier], 0.05, tier)
	}
}

func TestAFreeJobWaitsABoundedTimeInAFloodOfOthers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		q := newQueue()
		flood := func() {
			for _, tier := range domain.Tiers()[:4] {
				for range rapid.IntRange(1, 3).Draw(r, "flood") {
					q.add(tier, fmt.Sprint(tier, rapid.IntRange(0, 3).Draw(r, "account")))
				}
			}
		}
		for range rapid.IntRange(0, 60).Draw(r, "before") {
			flood()
			q.take()
		}
		job := q.add(domain.TierFree, "f")
		require.LessOrEqual(r, q.picksUntil(r, job, flood), 31, "one round of all weights")
	})
}

func TestAFreeJobIsDoneByWorkersThatLiveForOneJob(t *testing.T) {
	t.Parallel()
	q := newQueue()
	flood := func() {
		q.history = generate.History{}
		q.add(domain.TierEnterprise, "e")
		q.add(domain.TierEnterprise, "e")
	}
	for range 100 {
		flood()
		q.take()
	}
	job := q.add(domain.TierFree, "f")
	// At most what was there before it, and what came while its age was still worth something.
	require.LessOrEqual(t, q.picksUntil(t, job, flood), 150)
}

func TestAFloodOfFreeJobsHardlyDelaysABetterTier(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		q := newQueue()
		for range rapid.IntRange(1, 200).Draw(r, "jobs") {
			q.add(domain.TierFree, fmt.Sprint("f", rapid.IntRange(0, 3).Draw(r, "account")))
			q.add(domain.TierFree, "f")
			q.take()
		}
		job := q.add(rapid.SampledFrom(domain.Tiers()[:4]).Draw(r, "tier"), "p")
		require.LessOrEqual(r, q.picksUntil(r, job, func() { q.add(domain.TierFree, "f") }), 2)
	})
}

func TestNoAccountPassesAnotherForEver(t *testing.T) {
	t.Parallel()
	q := newQueue()
	for range 500 {
		q.add(domain.TierFree, "hog")
	}
	q.take()
	q.now = q.now.Add(time.Minute)
	job := q.add(domain.TierFree, "late")
	require.LessOrEqual(t, q.picksUntil(t, job, func() {}), 2, "behind two jobs of the hog at most")

	stranger := 0
	picks := q.picksUntil(t, q.open[0], func() {
		stranger++
		q.add(domain.TierFree, fmt.Sprint("stranger", stranger))
	})
	require.LessOrEqual(t, picks, 3, "new accounts pass the oldest job of an old one")
}

func TestALoadedModelGoesFirstWithinABound(t *testing.T) {
	t.Parallel()
	q := newQueue()
	old := q.add(domain.TierPro, "a")
	q.now = q.now.Add(9 * time.Second)
	near := q.add(domain.TierPro, "b")
	near.Model = "loaded"
	q.now = q.now.Add(2 * time.Second)
	far := q.add(domain.TierPro, "c")
	far.Model = "loaded"
	scene := generate.Scene{Offers: []generation.Offer{old, near, far}, Now: q.now, Model: "loaded", Limit: 3}
	require.Equal(t, []generation.Offer{near, old, far}, generate.Order(scene, generate.History{}))
	scene.Model = ""
	require.Equal(t, []generation.Offer{old, near, far}, generate.Order(scene, generate.History{}))
}

func BenchmarkOrder(b *testing.B) {
	for _, offers := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(offers), func(b *testing.B) {
			q := newQueue()
			for i := range offers {
				q.add(domain.Tiers()[i%5], fmt.Sprint("account", i/5))
			}
			scene := generate.Scene{Offers: q.open, Now: q.now, Limit: generate.CandidatesMax}
			for b.Loop() {
				generate.Order(scene, q.history)
			}
		})
	}
}
