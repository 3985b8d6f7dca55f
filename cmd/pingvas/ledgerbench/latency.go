package ledgerbench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Latency is how long reservations took at a fixed rate, from the moment at which each was due: a server that stalls
// cannot hide the commands that it kept from being sent. Times are in milliseconds.
type Latency struct {
	Target   string  `json:"target"`
	Spread   Spread  `json:"spread"`
	Rate     int     `json:"commands_per_second"`
	Reserves int     `json:"reserves"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p99_9_ms"`
	Max      float64 `json:"max_ms"`
}

// Pace sends commands at a fixed rate for the length of a round, half of them reservations and half their ends, and
// returns how long the reservations took.
func (w Workload) Pace(ctx context.Context, t Target, rate int) (out Latency, err error) {
	clients, err := connect(ctx, t, w.Clients)
	if err != nil {
		return Latency{}, err
	}
	defer func() { err = joined(err, clients.close()) }()
	p := pacer{
		workload: w, start: time.Now(), total: int64(w.Round.Seconds() * float64(rate) / commandsPerPair),
		every: time.Second * commandsPerPair / time.Duration(rate), took: make([][]time.Duration, len(clients)),
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() {
			if err := p.drive(ctx, i, c); err != nil {
				cancel(fmt.Errorf("%s: %w", t.Name(), err))
			}
		})
	}
	all.Wait()
	out = summary(slices.Concat(p.took...))
	out.Target, out.Spread, out.Rate = t.Name(), w.Spread, rate
	return out, context.Cause(ctx)
}

func joined(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// pacer deals the moments at which commands are due to whichever client is free.
type pacer struct {
	workload Workload
	start    time.Time
	every    time.Duration // between two reservations; their ends are due half-way between
	total    int64
	next     atomic.Int64
	took     [][]time.Duration // by client
}

func (p *pacer) drive(ctx context.Context, i int, c Client) error {
	pick := p.workload.picker()
	for {
		n := p.next.Add(1) - 1
		if n >= p.total {
			return nil
		}
		due := p.start.Add(time.Duration(n) * p.every)
		if !sleepUntil(ctx, due) {
			return nil // somebody else has failed
		}
		account := pick.account()
		hold, err := c.Reserve(ctx, account, pick.id())
		if err != nil {
			return fmt.Errorf("reserve: %w", err)
		}
		p.took[i] = append(p.took[i], time.Since(due))
		if !sleepUntil(ctx, due.Add(p.every/commandsPerPair)) {
			return nil
		}
		if err := c.End(ctx, account, hold, pick.ending()); err != nil {
			return fmt.Errorf("end a reservation: %w", err)
		}
	}
}

func sleepUntil(ctx context.Context, at time.Time) bool {
	wait := time.Until(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func summary(took []time.Duration) Latency {
	slices.Sort(took)
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return millis(took[min(len(took)-1, int(share*float64(len(took))))])
	}
	return Latency{Reserves: len(took), P50: at(.50), P99: at(.99), P999: at(.999), Max: at(1)}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// PrintLatency writes one line.
func PrintLatency(out io.Writer, l Latency) {
	fmt.Fprintf(out, "%-8s %-9s at %d commands/s, %d reserves: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms\n",
		l.Spread, l.Target, l.Rate, l.Reserves, l.P50, l.P99, l.P999, l.Max)
}
