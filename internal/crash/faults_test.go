package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Victims besides the roles.
const (
	postgres   = "postgres"         // with all its processes
	backend    = "postgres backend" // one of them
	kafkaAndS3 = "kafka and s3"
	everything = "everything"
)

// How faults are spread.
const (
	gapMin, gapMax = 400 * time.Millisecond, 2 * time.Second
	outageMax      = 1500 * time.Millisecond
	// bothFor is how long a paused process and its stand-in run side by side after the pause.
	bothFor = 2 * time.Second
	// Servers are paused shorter than the roles: nothing goes on meanwhile.
	serverPauseMin, serverPauseMax = 2 * time.Second, 5 * time.Second
	pausesPerDeck                  = 2
)

// fault is one thing that goes wrong.
type fault struct {
	after  time.Duration // since the fault before it
	victim string
	draw   int           // chooses among the victim's processes
	pause  time.Duration // 0 kills
	// replaced says that a stand-in is started while the victim is paused.
	replaced bool
	outage   time.Duration // of a killed Postgres
}

// plan returns the faults of a seed, with this many kills. They come in shuffled decks of one kill of each victim and
// some pauses, so that a short run has all of them, too.
func plan(seed uint64, kills int, lease time.Duration) []fault {
	r := rand.New(rand.NewPCG(seed, 1))
	var faults []fault
	for kills > 0 {
		deck := newDeck(r, lease)
		for _, f := range deck {
			if f.pause == 0 {
				if kills == 0 {
					break
				}
				kills--
			}
			faults = append(faults, f)
		}
	}
	return faults
}

func newDeck(r *rand.Rand, lease time.Duration) []fault {
	victims := []string{postgres, backend, kafkaAndS3, everything}
	for _, role := range roleNames {
		victims = append(victims, role.name)
	}
	var deck []fault
	for _, victim := range victims {
		deck = append(deck, fault{victim: victim, outage: between(r, 0, outageMax)})
	}
	r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	// Pauses come early in the deck, because they last.
	for range pausesPerDeck {
		at := r.IntN(len(deck) / 2)
		deck = append(deck[:at+1], deck[at:]...)
		deck[at] = newPause(r, lease)
	}
	for i := range deck {
		deck[i].after, deck[i].draw = between(r, gapMin, gapMax), r.IntN(1<<16)
	}
	return deck
}

func newPause(r *rand.Rand, lease time.Duration) fault {
	if r.IntN(4) == 0 {
		server := []string{postgres, kafkaAndS3}[r.IntN(2)]
		return fault{victim: server, pause: between(r, serverPauseMin, serverPauseMax)}
	}
	role := roleNames[r.IntN(len(roleNames))].name
	// The address of an API is taken as long as its process lives.
	return fault{victim: role, pause: between(r, lease*6/5, lease*2), replaced: role != "api" && r.IntN(2) == 0}
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// torment makes faults happen.
type torment struct {
	t       *testing.T
	cluster *cluster
	started time.Time
	kills   int
	of      int
	pauses  int
	victims map[string]int // kills by victim
	running sync.WaitGroup // what goes on meanwhile

	mu   sync.Mutex
	errs []error
}

// run lets all faults happen, and returns when everything runs again.
func (m *torment) run(ctx context.Context, faults []fault) {
	for _, f := range faults {
		if f.pause == 0 {
			m.of++
		}
	}
	for _, f := range faults {
		select {
		case <-ctx.Done():
		case <-time.After(f.after):
			m.strike(ctx, f)
		}
	}
	m.running.Wait()
}

func (m *torment) strike(ctx context.Context, f fault) {
	if f.pause > 0 {
		m.pauses++
		m.pause(ctx, f)
		return
	}
	m.kills++
	m.victims[f.victim]++
	switch f.victim {
	case postgres:
		m.crashPostgres(ctx, f)
	case backend:
		pid, err := m.cluster.db.killBackend(func(n int) int { return f.draw % n })
		m.report("%s, pid %d", backend, pid)
		m.check(err)
	case everything:
		var done sync.WaitGroup
		for _, p := range m.cluster.all() {
			done.Go(func() { p.signal(syscall.SIGKILL) })
		}
		m.crashPostgres(ctx, f)
		done.Wait()
	default:
		p := m.process(f)
		m.report("%s, pid %d", p.name, p.strike(ctx, syscall.SIGKILL))
	}
}

func (m *torment) crashPostgres(ctx context.Context, f fault) {
	dead := make(chan struct{})
	m.running.Go(func() {
		died := sync.OnceFunc(func() { close(dead) })
		defer died()
		m.check(m.cluster.db.crash(ctx, f.outage, func(pid int) {
			m.report("%s, pid %d of Postgres", f.victim, pid)
			died()
		}))
	})
	<-dead
}

func (m *torment) process(f fault) *process {
	if f.victim == kafkaAndS3 {
		return m.cluster.host
	}
	of := m.cluster.roles[f.victim]
	return of[f.draw%len(of)]
}

// pause stops a process for a while, during which other faults go on.
func (m *torment) pause(ctx context.Context, f fault) {
	number := m.pauses
	note := func(name string, pid int, how string) {
		m.t.Logf("pause %d at %6.1f s: %s, pid %d, for %.1f s%s",
			number, time.Since(m.started).Seconds(), name, pid, f.pause.Seconds(), how)
	}
	if f.victim == postgres {
		m.running.Go(func() {
			m.check(m.cluster.db.pause(f.pause, func(pid int) { note(postgres, pid, "") }))
		})
		return
	}
	p := m.process(f)
	pid := p.strike(ctx, syscall.SIGSTOP)
	if f.replaced {
		note(p.name, pid, ", with a stand-in")
	} else {
		note(p.name, pid, "")
	}
	m.running.Go(func() {
		if !f.replaced {
			time.Sleep(f.pause)
			p.signal(syscall.SIGCONT)
			return
		}
		m.check(m.standIn(p, f.pause, fmt.Sprintf("%s-stand-in-%d", p.name, number)))
	})
}

// standIn runs a second process while p is paused and for a while after it came back.
func (m *torment) standIn(p *process, pause time.Duration, name string) error {
	second := p.program
	second.name = name
	q, err := spawn(second, m.cluster.logs)
	if err != nil {
		return err
	}
	m.cluster.mu.Lock()
	m.cluster.spare = append(m.cluster.spare, q)
	m.cluster.mu.Unlock()
	time.Sleep(pause)
	p.signal(syscall.SIGCONT)
	time.Sleep(bothFor)
	// Not in order if Postgres is away just now: that it ends is enough.
	_ = q.stop(syscall.SIGTERM, stopMax)
	return nil
}

func (m *torment) report(format string, args ...any) {
	m.t.Logf("kill %3d of %d at %6.1f s: %s", m.kills, m.of, time.Since(m.started).Seconds(), fmt.Sprintf(format, args...))
}

func (m *torment) check(err error) {
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.errs = append(m.errs, err)
	}
}
