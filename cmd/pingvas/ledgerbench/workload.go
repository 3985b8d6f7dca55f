package ledgerbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Amounts of the workload, in credits.
const (
	grantPerAccount = 1_000_000_000
	reserveAmount   = 10
	partAmount      = 4
)

// Ending is how a reservation ends.
type Ending int

// The endings.
const (
	SettleAll Ending = iota
	SettlePart
	Release
)

// Target is a ledger under test. Its methods are called by many clients at once.
type Target interface {
	Name() string
	// Prepare opens this many accounts with grantPerAccount credits each.
	Prepare(ctx context.Context, accounts int) error
	// Reserve holds reserveAmount credits of an account under an id that is never used again.
	Reserve(ctx context.Context, account int, id string) error
	// End ends the reservation.
	End(ctx context.Context, account int, id string, ending Ending) error
}

// Spread says which accounts the commands go to.
type Spread string

// The spreads.
const (
	Uniform Spread = "uniform"
	Zipf    Spread = "zipf"
	Hot     Spread = "hot" // one account only
)

// Workload is one measurement.
type Workload struct {
	Accounts int
	Clients  int
	Spread   Spread
	Round    time.Duration
}

func (w Workload) account(r *rand.Rand, zipf *rand.Zipf) int {
	switch w.Spread {
	case Hot:
		return 0
	case Zipf:
		return int(zipf.Uint64())
	default:
		return r.IntN(w.Accounts)
	}
}

// zipfSkew and zipfFlat make the busiest of 1,000 accounts take about a tenth of the commands.
const (
	zipfSkew = 1.1
	zipfFlat = 1
)

// run has the clients send pairs until the round is over, and returns the pairs per second.
func (w Workload) run(ctx context.Context, t Target) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pairs atomic.Int64
	start := time.Now()
	end := start.Add(w.Round)
	var clients sync.WaitGroup
	for range w.Clients {
		seed := rand.Uint64()
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, seed))
			zipf := rand.NewZipf(r, zipfSkew, zipfFlat, uint64(w.Accounts-1))
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				account, id := w.account(r, zipf), newID(r)
				if err := t.Reserve(ctx, account, id); err != nil {
					cancel(fmt.Errorf("%s reserves: %w", t.Name(), err))
					return
				}
				if err := t.End(ctx, account, id, ending(r)); err != nil {
					cancel(fmt.Errorf("%s ends a reservation: %w", t.Name(), err))
					return
				}
				pairs.Add(1)
			}
		})
	}
	clients.Wait()
	return float64(pairs.Load()) / time.Since(start).Seconds(), context.Cause(ctx)
}

func ending(r *rand.Rand) Ending {
	switch n := r.IntN(10); {
	case n == 0:
		return Release
	case n == 1:
		return SettlePart
	default:
		return SettleAll
	}
}

// idDigits are the characters of ids that all targets take.
const idDigits = "0123456789abcdefghjkmnpqrstvwxyz"

func newID(r *rand.Rand) string {
	id := make([]byte, 26)
	for i := range id {
		id[i] = idDigits[r.IntN(len(idDigits))]
	}
	return string(id)
}
