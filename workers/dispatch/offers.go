package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/generation"
	"github.com/pingvas/pingvas/workers"
)

// place is a key of a topic.
type place struct {
	topic string
	key   domain.GenerationID
}

// shown is what the topics of offers hold. It implements workers.Table.
type shown struct {
	whole func()

	mu     sync.Mutex
	offers map[place]bool
}

// Put implements workers.Table.
func (s *shown) Put(topic, key string, _ []byte) { s.set(topic, key, true) }

// Delete implements workers.Table.
func (s *shown) Delete(topic, key string) { s.set(topic, key, false) }

// CaughtUp implements workers.Table.
func (s *shown) CaughtUp() { s.whole() }

func (s *shown) set(topic, key string, is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := (place{topic, domain.GenerationID(key)}); is {
		s.offers[at] = true
	} else {
		delete(s.offers, at)
	}
}

// withdraw returns the tombstones for what is shown but not open.
func (s *shown) withdraw(open []generation.Offer) []Publish {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range open {
		delete(s.offers, place{generation.OfferTopic(o.Pool, o.Tier), o.Generation})
	}
	says := make([]Publish, 0, len(s.offers))
	for at := range s.offers {
		says = append(says, Publish{Topic: at.topic, Generation: at.key})
	}
	return says
}

// readOffers reads the topics once, from the start to where they end now.
func readOffers(ctx context.Context, open workers.Broadcast, topics []string) (*shown, error) {
	read, done := context.WithCancel(ctx)
	defer done()
	var whole sync.Once
	complete := false
	s := &shown{offers: make(map[place]bool), whole: func() { whole.Do(func() { complete = true; done() }) }}
	if err := workers.Follow(read, open, topics, s); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !complete {
		return nil, errors.New("the topics were not read to their end")
	}
	return s, nil
}

func offers(open []generation.Offer) []Publish {
	says := make([]Publish, len(open))
	for i, o := range open {
		says[i] = publishOf(Job{Offer: o})
	}
	return says
}

// newest keeps of each job only what was said last: in a compacted topic the rest would not last either.
func newest(says []Publish) []Publish {
	last := make(map[place]int, len(says))
	for i, p := range says {
		last[place{p.Topic, p.Generation}] = i
	}
	var kept []Publish
	for i, p := range says {
		if last[place{p.Topic, p.Generation}] == i {
			kept = append(kept, p)
		}
	}
	return kept
}

// publish writes to the topics, in batches. No job may be in it twice. What belongs to a pool without topics is left
// out: it must not keep the others from being offered.
func (d *Dispatcher) publish(says []Publish) error {
	says = slices.DeleteFunc(says, func(p Publish) bool {
		known := slices.Contains(d.topics, p.Topic)
		if !known && p.Offer != nil {
			d.cfg.Log.Error("a job cannot be offered, its pool has no topics", slog.String("topic", p.Topic),
				slog.String("generation", string(p.Generation)))
		}
		return !known
	})
	slices.SortStableFunc(says, func(a, b Publish) int { return cmp.Compare(a.Topic, b.Topic) })
	for len(says) > 0 {
		topic := says[0].Topic
		var messages []*message.Message
		for len(says) > 0 && says[0].Topic == topic && len(messages) < publishBatch {
			msg, err := encode(says[0])
			if err != nil {
				return err
			}
			messages, says = append(messages, msg), says[1:]
		}
		if err := d.cfg.Publisher.Publish(topic, messages...); err != nil {
			return fmt.Errorf("publish %d offers: %w", len(messages), err)
		}
	}
	return nil
}

func encode(p Publish) (*message.Message, error) {
	if p.Offer == nil {
		return workers.Tombstone(string(p.Generation)), nil
	}
	return workers.NewMessage(string(p.Generation), p.Offer)
}
