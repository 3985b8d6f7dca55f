package commands_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pingvas/pingvas/commands"
	"github.com/pingvas/pingvas/domain"
	"github.com/pingvas/pingvas/domain/account"
)

// The mix. Half of the commands go to few accounts, so that they meet all the time.
const (
	hotAccounts   = 3
	allAccounts   = 120
	hotShare      = 50
	boardMax      = 24 // things of an account that a client may name
	oldMax        = 400
	skewMax       = 4 * time.Second // by which the clocks of clients differ
	tickMax       = 2 * time.Second // between two commands
	jumpOneIn     = 4000            // commands, after which everything has expired
	jump          = 80 * time.Hour
	parallelOneIn = 10 // commands are sent several times at once
	repeatOneIn   = 14 // commands are sent again that were answered long ago
	unkeyedOneIn  = 12
)

// board is what clients know of an account, so that they name things that are there.
type board struct {
	mu    sync.Mutex
	holds []domain.ReservationID
	jobs  []*jobNote
	made  []domain.GenerationID // which have at least one image
	grant domain.GrantID        // a recent one
	old   []step
}

type jobNote struct {
	id      domain.GenerationID
	attempt int
}

// call is one command that was sent and answered.
type call struct {
	step
	reply
	called, returned time.Duration // since the beginning of the test
}

// process is what runs commands.
type process interface{ send(step) reply }

// crowd is all clients and what they share.
type crowd struct {
	seed      uint64
	hot       int // accounts that get hotShare of all commands
	hotShare  int // per cent
	began     time.Time
	serial    atomic.Int64
	clock     atomic.Int64 // the injected time, in nanoseconds since noon
	left      atomic.Int64 // commands to be sent in this round
	boards    []*board
	processes []process

	mu    sync.Mutex
	calls []call
}

func newCrowd(seed uint64) *crowd {
	c := &crowd{seed: seed, hot: hotAccounts, hotShare: hotShare, began: time.Now()}
	for range allAccounts {
		c.boards = append(c.boards, &board{})
	}
	return c
}

// client draws commands and sends them.
type client struct {
	*crowd
	r     *rand.Rand
	calls []call
}

// round has clients send commands until there are none left.
func (c *crowd) round(round, clients, steps int) {
	c.left.Store(int64(steps))
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			one := &client{crowd: c, r: rand.New(rand.NewPCG(c.seed, uint64(round*clients+i)))}
			for c.left.Load() > 0 {
				one.act()
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.calls = append(c.calls, one.calls...)
		})
	}
	all.Wait()
}

func (c *client) oneIn(n int) bool { return c.r.IntN(n) == 0 }

// act sends one command: most often once, at times several times at once, and at times one that is old.
func (c *client) act() {
	n := c.r.IntN(allAccounts)
	if c.r.IntN(100) < c.hotShare {
		n = c.r.IntN(c.hot)
	}
	b := c.boards[n]
	if old, ok := c.pickOld(b); ok {
		c.send(old)
		return
	}
	s := c.draw(n, b)
	if s.Key == "" || !c.oneIn(parallelOneIn) {
		c.send(s)
		return
	}
	var all sync.WaitGroup
	calls := make([]call, 2+c.r.IntN(3))
	for i := range calls {
		again := c.number(s)
		if other := c.draw(n, b); other.Key != "" && c.oneIn(5) { // the key of one command on another
			again, again.Key, again.Body = other, s.Key, byte(2+i)
		}
		to := c.processes[c.r.IntN(len(c.processes))]
		all.Go(func() { calls[i] = c.insist(again, to) })
	}
	all.Wait()
	c.calls = append(c.calls, calls...)
}

// number gives a repeated call a number of its own.
func (c *client) number(s step) step {
	s.N = int(c.serial.Add(1))
	return s
}

func (c *client) pickOld(b *board) (step, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.old) == 0 || !c.oneIn(repeatOneIn) {
		return step{}, false
	}
	s := c.number(b.old[c.r.IntN(len(b.old))])
	if c.oneIn(8) {
		s.Body++
	}
	return s, true
}

func (c *client) send(s step) {
	to := c.processes[c.r.IntN(len(c.processes))]
	answered := c.insist(s, to)
	c.calls = append(c.calls, answered)
	if answered.unrun() {
		return
	}
	b := c.boards[index(s.Account)]
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Key != "" && !answered.Replayed && c.oneIn(4) {
		b.old = append(b.old, s)
		if len(b.old) > oldMax {
			b.old = slices.Delete(b.old, 0, 1+c.r.IntN(2)*oldMax/2) // some are very old
		}
	}
	b.learn(answered)
}

// insist sends a command, also when it is told that the account is busy and nothing was done.
func (c *client) insist(s step, to process) call {
	for {
		c.left.Add(-1)
		out := call{step: s, called: time.Since(c.began)}
		out.reply = to.send(s)
		out.returned = time.Since(c.began)
		if !out.unrun() {
			return out
		}
		c.mu.Lock()
		c.crowd.calls = append(c.crowd.calls, out)
		c.mu.Unlock()
		s = c.number(s)
	}
}

// learn notes what clients may name next. The lock is held.
func (b *board) learn(c call) {
	if c.Job != nil {
		for _, j := range b.jobs {
			if j.id == c.Job.ID && c.Code == "" && (c.Job.Do == doHandBack || c.Job.Do == doGiveUp || c.Job.Do == doEndLease) {
				j.attempt++
			}
		}
	}
	if c.Code != "" {
		return
	}
	switch {
	case c.Grant != nil:
		b.grant = c.Grant.Grant
	case c.Reserve != nil:
		b.holds = latest(b.holds, c.Reserve.Reservation)
	case c.Request != nil:
		b.jobs = latest(b.jobs, &jobNote{c.Request.Generation, 1})
		if len(b.jobs)%4 == 0 {
			b.holds = latest(b.holds, c.Request.Reservation) // which its owner must not end
		}
	case c.Job != nil && c.Job.Do == doComplete && c.Job.Images > 0:
		b.made = latest(b.made, c.Job.ID)
	case c.Settle != nil:
		b.forget(c.Settle.Reservation)
	case c.Release != nil:
		b.forget(c.Release.Reservation)
	}
	for _, one := range c.Many {
		if one.Reserve != nil {
			b.holds = latest(b.holds, one.Reserve.Reservation)
		}
	}
}

// forget leaves one in four, to be ended a second time.
func (b *board) forget(id domain.ReservationID) {
	if last := id[len(id)-1]; last%4 != 0 {
		b.holds = slices.DeleteFunc(b.holds, func(h domain.ReservationID) bool { return h == id })
	}
}

func latest[T any](list []T, item T) []T {
	list = append(list, item)
	return list[max(0, len(list)-boardMax):]
}

func accountOf(n int) domain.AccountID { return domain.AccountID(id("acc_", n)) }

// index is the number of an account.
func index(id domain.AccountID) (n int) {
	if _, err := fmt.Sscanf(string(id[len("acc_"):]), "%d", &n); err != nil {
		panic(err)
	}
	return n
}

func (c *client) now() time.Time {
	passed := c.r.Int64N(int64(tickMax))
	if c.oneIn(jumpOneIn) {
		passed = int64(jump)
	}
	skew := time.Duration(c.r.Int64N(int64(skewMax)))
	return noon.Add(time.Duration(c.clock.Add(passed)) - skew).Truncate(time.Microsecond)
}

// draw makes a command on an account.
func (c *client) draw(n int, b *board) step {
	serial := int(c.serial.Add(1))
	s := step{N: serial, Account: accountOf(n), At: c.now(), Body: 1}
	if !c.oneIn(unkeyedOneIn) {
		s.Key = fmt.Sprint("key ", serial)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.grant == "" || c.oneIn(200) {
		s.Open = &commands.OpenAccount{Name: "Ada", Grant: domain.GrantID(id("grt_", serial)), At: s.At}
		b.grant = s.Open.Grant
		return s
	}
	draws := []struct {
		weight int
		draw   func(*step, *board)
	}{
		{30, c.reserve}, {23, c.settle}, {5, c.release}, {5, c.grant}, {4, c.many}, {2, c.expire}, {2, c.plan},
		{8, c.request}, {24, c.job}, {3, c.image},
	}
	left := c.r.IntN(105)
	for _, d := range draws {
		if left -= d.weight; left < 0 {
			d.draw(&s, b)
			break
		}
	}
	return s
}

// oneOf returns one of a few things.
func oneOf[T any](c *client, list ...T) T { return list[c.r.IntN(len(list))] }

func (c *client) use() account.Use {
	return account.Use{Model: oneOf(c, "flux-schnell", "sdxl"), Operation: oneOf(c, "text_to_image", "upscale")}
}

func (c *client) hold(s *step, b *board) domain.ReservationID {
	if len(b.holds) == 0 || c.oneIn(60) {
		return domain.ReservationID(id("res_", s.N)) // there is none
	}
	return oneOf(c, b.holds...)
}
