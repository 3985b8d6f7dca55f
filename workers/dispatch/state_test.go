package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/domain/pricing"
	"github.com/pingvas/pingvas/eventstore"
	"github.com/pingvas/pingvas/workers/dispatch"
)

// ledger is a shard full of generations that live at random.
type ledger struct {
	now    time.Time
	events []domain.Event
	states map[domain.GenerationID]generation.State
	ids    []domain.GenerationID
}

func newLedger() *ledger {
	return &ledger{
		now:    time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		states: map[domain.GenerationID]generation.State{},
	}
}

func (l *ledger) request(r *rapid.T) {
	id := domain.GenerationID(fmt.Sprintf("gen_%026d", len(l.ids)))
	l.ids = append(l.ids, id)
	l.decide(id, generation.Request{
		Generation: id, Account: domain.AccountID(fmt.Sprintf("acc_%026d", rapid.IntRange(0, 2).Draw(r, "account"))),
		Pool: rapid.SampledFrom([]string{"gpu", "relay"}).Draw(r, "pool"),
		Tier: rapid.SampledFrom(domain.Tiers()).Draw(r, "tier"),
		Spec: generation.Spec{Terms: pricing.Terms{Model: "m", Count: 1}},
		At:   l.now, Deadline: l.now.Add(time.Hour), EstimateMillis: 10,
	})
}

// live does something to a generation that may or may not be possible.
func (l *ledger) live(r *rapid.T) {
	if len(l.ids) == 0 {
		return
	}
	id := rapid.SampledFrom(l.ids).Draw(r, "generation")
	attempt := rapid.IntRange(1, 3).Draw(r, "attempt")
	l.decide(id, rapid.SampledFrom([]generation.Command{
		generation.Claim{Worker: "w", LeaseUntil: l.now.Add(time.Minute), At: l.now},
		generation.Claim{Worker: "w", LeaseUntil: l.now.Add(time.Minute), At: l.now},
		generation.ExtendLease{Attempt: attempt, LeaseUntil: l.now.Add(2 * time.Minute), At: l.now},
		generation.HandBack{Attempt: attempt, At: l.now},
		generation.EndLease{At: l.now.Add(5 * time.Minute)},
		generation.Complete{Attempt: attempt, Images: make([]generation.Image, 1), At: l.now},
		generation.Fail{Attempt: attempt, At: l.now},
		generation.Cancel{At: l.now},
		generation.Expire{At: l.now.Add(2 * time.Hour)},
	}).Draw(r, "command"))
}

func (l *ledger) decide(id domain.GenerationID, c generation.Command) {
	events, _ := generation.Decide(l.states[id], c) // what is refused is no part of this test
	l.events = append(l.events, events...)
	l.states[id] = generation.Decider().Fold(l.states[id], events...)
}

// jobs is what a view shows of the ledger after so many events.
func (l *ledger) jobs(events int) []dispatch.Job {
	states := map[domain.GenerationID]generation.State{}
	for _, e := range l.events[:events] {
		id := generationOf(e)
		states[id] = generation.Evolve(states[id], e)
	}
	var jobs []dispatch.Job
	for id, s := range states {
		if !s.Status.Final() {
			jobs = append(jobs, dispatch.Job{Offer: offerOf(id, s), Running: s.Status == generation.StatusRunning})
		}
	}
	return jobs
}

func offerOf(id domain.GenerationID, s generation.State) generation.Offer {
	return generation.Offer{
		Generation: id, Account: eventstore.HashAccount(s.Request.Account).String(), Pool: s.Request.Pool,
		Tier: s.Request.Tier, Model: s.Request.Spec.Model, Attempt: s.Attempt,
		EstimateMillis: s.Request.EstimateMillis, Enqueued: s.Request.At,
	}
}

func generationOf(e domain.Event) domain.GenerationID {
	switch e := e.(type) {
	case generation.Requested:
		return e.Generation
	case generation.Claimed:
		return e.Generation
	case generation.LeaseExtended:
		return e.Generation
	case generation.Requeued:
		return e.Generation
	case generation.Completed:
		return e.Generation
	case generation.Failed:
		return e.Generation
	case generation.Cancelled:
		return e.Generation
	case generation.Expired:
		return e.Generation
	}
	panic(fmt.Sprintf("%T", e))
}

// topics are compacted topics.
type topics map[string]map[domain.GenerationID]generation.Offer

func (t topics) say(p dispatch.Publish) {
	if t[p.Topic] == nil {
		t[p.Topic] = map[domain.GenerationID]generation.Offer{}
	}
	if p.Offer == nil {
		delete(t[p.Topic], p.Generation)
	} else {
		t[p.Topic][p.Generation] = *p.Offer
	}
}

// requireOpen demands that the topics hold exactly the queued jobs of the ledger.
func (t topics) requireOpen(r *rapid.T, l *ledger) {
	open := 0
	for id, s := range l.states {
		if s.Status == generation.StatusQueued {
			open++
			require.Equal(r, offerOf(id, s), t[generation.OfferTopic(s.Request.Pool, s.Request.Tier)][id])
		}
	}
	shown := 0
	for _, offers := range t {
		shown += len(offers)
	}
	require.Equal(r, open, shown)
}

func TestTheTopicsHoldTheOpenJobsAtAnyTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l, shown, state, applied := newLedger(), topics{}, dispatch.NewState(nil), 0
		r.Repeat(map[string]func(*rapid.T){
			"request": l.request,
			"live":    l.live,
			"restart": func(r *rapid.T) {
				// The view may be behind what was said already.
				applied = rapid.IntRange(0, len(l.events)).Draw(r, "view at")
				state = dispatch.NewState(l.jobs(applied))
				open := map[domain.GenerationID]bool{}
				for _, o := range state.Open() {
					open[o.Generation] = true
					shown.say(dispatch.Publish{Topic: generation.OfferTopic(o.Pool, o.Tier), Generation: o.Generation, Offer: &o})
				}
				for topic, offers := range shown {
					for id := range offers {
						if !open[id] {
							shown.say(dispatch.Publish{Topic: topic, Generation: id})
						}
					}
				}
			},
			"": func(r *rapid.T) {
				for ; applied < len(l.events); applied++ {
					if p, ok := state.Apply(l.events[applied]); ok {
						shown.say(p)
					}
				}
				shown.requireOpen(r, l)
			},
		})
	})
}

// The positions of a view may be older than the jobs that it shows.
func TestEventsThatTheViewHasSeenLeadToTheSameEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		l := newLedger()
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "request") {
				l.request(r)
			} else {
				l.live(r)
			}
		}
		seen := rapid.IntRange(0, len(l.events)).Draw(r, "seen")
		from := rapid.IntRange(0, seen).Draw(r, "from")
		state, shown := dispatch.NewState(l.jobs(seen)), topics{}
		for _, o := range state.Open() {
			shown.say(dispatch.Publish{Topic: generation.OfferTopic(o.Pool, o.Tier), Generation: o.Generation, Offer: &o})
		}
		for _, e := range l.events[from:] {
			if p, ok := state.Apply(e); ok {
				shown.say(p)
			}
		}
		shown.requireOpen(r, l)
	})
}
