package dispatch

import (
	"encoding/json"
	"fmt"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/eventstore"
)

// Publish is what the dispatcher says of one job: an offer, or nil for a tombstone.
type Publish struct {
	Topic      string
	Generation domain.GenerationID
	Offer      *generation.Offer
}

// State holds the jobs of one shard that have not ended. It is a pure state machine.
type State struct {
	jobs map[domain.GenerationID]Job
}

// NewState returns the state in which these jobs have not ended.
func NewState(jobs []Job) State {
	s := State{jobs: make(map[domain.GenerationID]Job, len(jobs))}
	for _, j := range jobs {
		s.jobs[j.Offer.Generation] = j
	}
	return s
}

// Open returns the offers of all open jobs, in no order.
func (s State) Open() []generation.Offer {
	var open []generation.Offer
	for _, j := range s.jobs {
		if !j.Running {
			open = append(open, j.Offer)
		}
	}
	return open
}

// Apply folds an event into the state and returns what there is to say, if anything. Events of other kinds, and of
// jobs that are not known because they have ended, change nothing.
func (s State) Apply(e domain.Event) (Publish, bool) {
	switch e := e.(type) {
	case generation.Requested:
		return s.put(Job{Offer: offerOf(e)})
	case generation.Claimed:
		return s.change(e.Generation, func(j *Job) { j.Running, j.Offer.Attempt = true, e.Attempt })
	case generation.Requeued:
		return s.change(e.Generation, func(j *Job) { j.Running, j.Offer.Attempt = false, e.Attempt })
	case generation.Completed:
		return s.end(e.Generation)
	case generation.Failed:
		return s.end(e.Generation)
	case generation.Cancelled:
		return s.end(e.Generation)
	case generation.Expired:
		return s.end(e.Generation)
	}
	return Publish{}, false
}

func (s State) put(j Job) (Publish, bool) {
	s.jobs[j.Offer.Generation] = j
	return publishOf(j), true
}

func (s State) change(id domain.GenerationID, to func(*Job)) (Publish, bool) {
	j, ok := s.jobs[id]
	if !ok {
		return Publish{}, false
	}
	to(&j)
	return s.put(j)
}

func (s State) end(id domain.GenerationID) (Publish, bool) {
	j, ok := s.jobs[id]
	if !ok {
		return Publish{}, false
	}
	delete(s.jobs, id)
	j.Running = true
	return publishOf(j), true
}

func publishOf(j Job) Publish {
	p := Publish{Topic: generation.OfferTopic(j.Offer.Pool, j.Offer.Tier), Generation: j.Offer.Generation}
	if !j.Running {
		p.Offer = &j.Offer
	}
	return p
}

func offerOf(r generation.Requested) generation.Offer {
	return generation.Offer{
		Generation: r.Generation, Account: eventstore.HashAccount(r.Account).String(), Pool: r.Pool, Tier: r.Tier,
		Model: r.Spec.Model, Attempt: 1, EstimateMillis: r.EstimateMillis, Enqueued: r.At,
	}
}

// decode returns the event in an envelope if it is one that Apply knows, else nil. It needs no keys: what is sealed
// stays sealed and is not looked at.
func decode(e eventstore.Envelope) (domain.Event, error) {
	for _, known := range generation.Events() {
		if known.Name != e.Type {
			continue
		}
		pointer := known.New()
		if err := json.Unmarshal(e.Data, pointer); err != nil {
			return nil, fmt.Errorf("decode %s at %s: %w", e.Type, e.Position(), err)
		}
		return known.Deref(pointer), nil
	}
	return nil, nil
}
