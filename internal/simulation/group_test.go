package simulation

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// resultPartitions is how many partitions the topic of results has.
const resultPartitions = 2

// redeliverAfter is the pause before a message is delivered again that was refused.
const redeliverAfter = 150*time.Millisecond + 11

// group is the consumer group of the results: each partition belongs to one member, which reads it from what was
// committed. Acks are committed late now and then, so that messages come again after a change of members.
type group struct {
	members    []*member
	partitions []partition
}

type partition struct {
	log       []*record
	owner     *member
	next      int // of the owner
	committed int
}

// member is a message.Subscriber of the group.
type member struct {
	w    *world
	l    *life
	life context.Context
	end  context.CancelFunc
	runs sync.WaitGroup
}

func (g *group) member(w *world, l *life) *member {
	m := &member{w: w, l: l}
	m.life, m.end = context.WithCancel(context.Background())
	g.members = append(g.members, m)
	g.rebalance(len(g.members))
	return m
}

func (g *group) leave(l *life) {
	g.members = slices.DeleteFunc(g.members, func(m *member) bool { return m.l == l })
	g.rebalance(0)
}

// rebalance gives every partition an owner anew, whatever the old one is doing. A paused member is taken for dead.
func (g *group) rebalance(shift int) {
	var awake []*member
	for _, m := range g.members {
		if !m.l.paused && !m.l.dead {
			awake = append(awake, m)
		}
	}
	for i := range g.partitions {
		p := &g.partitions[i]
		var owner *member
		if len(awake) > 0 {
			owner = awake[(i+shift)%len(awake)]
		}
		if p.owner != owner {
			p.owner, p.next = owner, p.committed
		}
	}
}

// Subscribe implements message.Subscriber.
func (m *member) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(m.life, cancel)
	for i := range m.w.bus.results.partitions {
		m.runs.Go(func() { m.follow(ctx, i, out) })
	}
	go func() {
		m.runs.Wait()
		detach()
		cancel()
		close(out)
	}()
	return out, nil
}

// Close implements message.Subscriber.
func (m *member) Close() error {
	m.end()
	m.runs.Wait()
	return nil
}

func (m *member) follow(ctx context.Context, i int, out chan<- *message.Message) {
	p := &m.w.bus.results.partitions[i]
	for {
		t := m.w.enter(ctx, &call{by: m.l, kind: "fetch result", key: strconv.Itoa(i), class: reading, ready: func() bool {
			return p.owner == m && p.next < len(p.log)
		}})
		if ctx.Err() != nil || t.fate == gone {
			return
		}
		if t.fate != done || p.owner != m {
			continue
		}
		at := p.next
		acked := deliver(ctx, p.log[at], out)
		m.w.look()
		switch {
		case ctx.Err() != nil:
			return
		case !acked:
			if !wait(ctx, redeliverAfter) {
				return
			}
		case p.owner != m || p.next != at:
			// It was taken away meanwhile, and what was done is done by another again.
		case t.dice%16 == 0 && !m.w.quiet:
			// The commit and the place are lost: it comes again.
		default:
			p.next = at + 1
			if t.dice%4 != 1 || m.w.quiet {
				p.committed = p.next
			}
		}
	}
}

// settled reports whether every result was acknowledged.
func (g *group) settled() bool {
	for _, p := range g.partitions {
		if p.next < len(p.log) {
			return false
		}
	}
	return true
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
