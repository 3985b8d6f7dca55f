package commands

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/eventstore"
)

// Bounds of one shard in one process.
const (
	// queueMax is how many commands may wait; one more is refused with CodeUnavailable.
	queueMax = 4096
	// batchMax is how many commands are decided and appended together.
	batchMax = 256
	// batchEvents and batchBytes end a batch early. What one command adds beyond them must fit into an append.
	batchEvents = eventstore.EventsMax / 2
	batchBytes  = eventstore.AppendBytesMax / 4
	// cachedStreams is how many folded streams are kept.
	cachedStreams = 4096
	// batchTimeout bounds the work on one batch. It does not depend on any caller, since a batch has many.
	batchTimeout = 15 * time.Second
)

// shard runs the commands of one shard. Commands that arrive while a batch commits form the next batch.
//
// There is no goroutine of its own: one of the waiting callers leads. It runs one batch, which its own command is part
// of, and hands the lead to the first command that waits.
type shard struct {
	ledger *Ledger
	id     int

	mu      sync.Mutex
	waiting []*command
	led     bool // somebody leads

	// streams are folded as of the newest event that this process has seen. Only the leader touches them.
	streams *simplelru.LRU[use, folded]
}

// use is a stream as one account uses it. Accounts do not share what is folded, not even when one asks for what belongs
// to another: what one of them has decided and could not append must not reach the others.
type use struct {
	account domain.AccountID
	stream  string
}

// command is a use case on its way.
type command struct {
	caller  Caller
	name    string
	streams []string
	fresh   string // the stream of these that has no events yet, unless an id was drawn twice
	decide  func(*work) (any, error)

	tries  int
	lead   chan struct{} // gets a token when the command's caller has to lead
	answer chan answer   // gets the one answer
}

// reply answers the command, unless it has an answer.
func (c *command) reply(a answer) {
	select {
	case c.answer <- a:
	default:
	}
}

func newShard(l *Ledger, id int) *shard {
	streams, err := simplelru.NewLRU[use, folded](cachedStreams, nil)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &shard{ledger: l, id: id, streams: streams}
}

// run runs a command with others and returns its answer. It returns ctx's error only for a command that was not run.
func (s *shard) run(ctx context.Context, c *command) answer {
	c.lead, c.answer = make(chan struct{}, 1), make(chan answer, 1)
	s.mu.Lock()
	if len(s.waiting) >= queueMax {
		s.mu.Unlock()
		return answer{err: domain.Errorf(domain.CodeUnavailable, "too many commands wait already")}
	}
	s.waiting = append(s.waiting, c)
	if !s.led {
		s.led = true
		c.lead <- struct{}{}
	}
	s.mu.Unlock()
	for {
		select {
		case a := <-c.answer:
			return a
		case <-c.lead:
			s.leadOnce(ctx)
		case <-ctx.Done():
			if s.withdraw(c) {
				return answer{err: ctx.Err()}
			}
			ctx = context.WithoutCancel(ctx) // it is being run: wait for what becomes of it
		}
	}
}

// leadOnce runs one batch and gives the lead away.
func (s *shard) leadOnce(ctx context.Context) {
	s.mu.Lock()
	n := min(len(s.waiting), batchMax)
	taken := s.waiting[:n:n]
	s.waiting = s.waiting[n:]
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchTimeout)
	defer cancel()
	again := s.runBatch(ctx, taken)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(again, s.waiting...)
	s.handOver()
}

// handOver gives the lead to the first command that waits. The lock is held.
func (s *shard) handOver() {
	if s.led = len(s.waiting) > 0; s.led {
		s.waiting[0].lead <- struct{}{}
	}
}

// withdraw takes a command out that has not begun to run, and returns false if it has.
func (s *shard) withdraw(c *command) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, waiting := range s.waiting {
		if waiting != c {
			continue
		}
		s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
		select {
		case <-c.lead:
			s.handOver()
		default:
		}
		return true
	}
	return false
}
