package generate

import (
	"cmp"
	"slices"
	"time"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
)

// How the order weighs waiting against shares and models. All effects are bounded.
const (
	// ageMax is the waiting time after which a job gains no more by waiting.
	ageMax = 5 * time.Minute
	// ageWorth is how much waiting buys one second of service at weight 1. With ageMax this is a head start of 20 such
	// seconds: it decides what a worker without history begins with, and leaves the shares in the long run alone.
	ageWorth = 15 * time.Second
	// modelPatience is how much later than the others of its tier a job may have come and still go first because its
	// model is loaded.
	modelPatience = 10 * time.Second
	// costMin is the least service that a job counts as, so that jobs without an estimate have their turns too.
	costMin = time.Second
)

// Scene is what a worker chooses in.
type Scene struct {
	Offers []generation.Offer
	Now    time.Time
	// Model is loaded, or empty.
	Model string
	// Limit is how many offers are wanted at most.
	Limit int
}

// Order returns the offers in the order in which this worker should take them. It is pure.
//
// Between tiers it is weighted fair queueing: every tier with open jobs has a virtual time, the service that it got
// divided by its weight, and the least goes first. A tier that was idle saves nothing up. A tier's oldest job takes a
// bounded time off, so that no tier starves where workers live too briefly to have a history.
//
// Within a tier the account that was served least recently goes first, by its oldest job; one that was not served yet
// counts as served when it asked. So nobody passes a waiting job for ever. A job whose model is loaded may pass
// others of its tier by modelPatience.
func Order(s Scene, h History) []generation.Offer {
	turn := h.clone()
	queues := make(map[domain.Tier]*tierQueue)
	for _, tier := range domain.Tiers() {
		queues[tier] = newTierQueue()
	}
	for _, o := range s.Offers {
		if q := queues[o.Tier]; q != nil {
			q.add(o)
		}
	}
	for _, q := range queues {
		q.sort()
	}
	ordered := make([]generation.Offer, 0, min(s.Limit, len(s.Offers)))
	for len(ordered) < s.Limit {
		tier, ok := turn.nextTier(queues, s.Now)
		if !ok {
			break
		}
		offer := queues[tier].take(s, turn)
		turn.serve(offer, s.Now.Add(time.Duration(len(ordered)))) // each a little later than the one before
		ordered = append(ordered, offer)
	}
	return ordered
}

// tierQueue holds the open jobs of one tier by account, each account's oldest first.
type tierQueue struct {
	accounts map[string][]generation.Offer
	oldest   time.Time // when the longest waiting job was requested
}

func newTierQueue() *tierQueue { return &tierQueue{accounts: make(map[string][]generation.Offer)} }

func (q *tierQueue) add(o generation.Offer) { q.accounts[o.Account] = append(q.accounts[o.Account], o) }

func (q *tierQueue) sort() {
	for _, offers := range q.accounts {
		slices.SortFunc(offers, func(a, b generation.Offer) int {
			return cmp.Or(a.Enqueued.Compare(b.Enqueued), cmp.Compare(a.Generation, b.Generation))
		})
	}
	q.findOldest()
}

func (q *tierQueue) findOldest() {
	q.oldest = time.Time{}
	for _, offers := range q.accounts {
		if at := offers[0].Enqueued; q.oldest.IsZero() || at.Before(q.oldest) {
			q.oldest = at
		}
	}
}

// take removes and returns the job that is next within the tier.
func (q *tierQueue) take(s Scene, h History) generation.Offer {
	var best generation.Offer
	var bestTurn time.Time
	for _, offers := range q.accounts {
		head := offers[0]
		turn := h.turnOf(head)
		if s.Model != "" && head.Model == s.Model {
			turn = turn.Add(-modelPatience)
		}
		if best.Generation == "" || before(turn, head, bestTurn, best) {
			best, bestTurn = head, turn
		}
	}
	if rest := q.accounts[best.Account][1:]; len(rest) > 0 {
		q.accounts[best.Account] = rest
	} else {
		delete(q.accounts, best.Account)
	}
	q.findOldest()
	return best
}

// before is a total order, so that the same scene always has the same answer.
func before(turn time.Time, o generation.Offer, thanTurn time.Time, than generation.Offer) bool {
	return cmp.Or(turn.Compare(thanTurn), o.Enqueued.Compare(than.Enqueued),
		cmp.Compare(o.Generation, than.Generation)) < 0
}
