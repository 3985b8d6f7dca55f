package ledgerbench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Amounts of the workload, in credits.
const (
	grantPerAccount = 1_000_000_000
	reserveAmount   = 10
	partAmount      = 4
)

// commandsPerPair is how many commands a reservation and its end are.
const commandsPerPair = 2

// Ending is how a reservation ends.
type Ending int

// The endings.
const (
	SettleAll Ending = iota
	SettlePart
	Release
)

// charge is what a reservation costs that ends so.
func (e Ending) charge() int64 {
	switch e {
	case SettleAll:
		return reserveAmount
	case SettlePart:
		return partAmount
	case Release:
	}
	return 0
}

// Target is a ledger under test.
type Target interface {
	Name() string
	// Client returns what one caller uses; several clients are used at once.
	Client(ctx context.Context) (Client, error)
	// Schema is the Postgres schema of what the target writes.
	Schema() string
}

// Client sends commands, one at a time.
type Client interface {
	// Reserve holds reserveAmount credits of an account and returns a name for the hold. The id is never used again.
	Reserve(ctx context.Context, account int, id string) (hold string, err error)
	// End ends the hold.
	End(ctx context.Context, account int, hold string, ending Ending) error
	Close() error
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
	Accounts int           `json:"accounts"`
	Clients  int           `json:"clients"`
	Spread   Spread        `json:"spread"`
	Round    time.Duration `json:"round_ns"`
}

// zipfSkew and zipfFlat make the busiest of 1,000 accounts take about a tenth of the commands.
const (
	zipfSkew = 1.1
	zipfFlat = 1
)

// picker draws accounts, ids and endings for one client.
type picker struct {
	workload Workload
	rand     *rand.Rand
	zipf     *rand.Zipf
}

func (w Workload) picker() *picker {
	r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	return &picker{w, r, rand.NewZipf(r, zipfSkew, zipfFlat, uint64(w.Accounts-1))}
}

func (p *picker) account() int {
	switch p.workload.Spread {
	case Hot:
		return 0
	case Zipf:
		return int(p.zipf.Uint64())
	default:
		return p.rand.IntN(p.workload.Accounts)
	}
}

func (p *picker) ending() Ending {
	switch n := p.rand.IntN(10); {
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

func (p *picker) id() string {
	var id [26]byte
	for i := range id {
		id[i] = idDigits[p.rand.IntN(len(idDigits))]
	}
	return string(id[:])
}

// pair reserves and ends once.
func (p *picker) pair(ctx context.Context, c Client) error {
	account := p.account()
	hold, err := c.Reserve(ctx, account, p.id())
	if err != nil {
		return fmt.Errorf("reserve: %w", err)
	}
	if err := c.End(ctx, account, hold, p.ending()); err != nil {
		return fmt.Errorf("end a reservation: %w", err)
	}
	return nil
}

// run has the clients send pairs until the round is over, and returns how many there were and how long it took.
func (w Workload) run(ctx context.Context, clients crew) (int64, time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pairs atomic.Int64
	start := time.Now()
	end := start.Add(w.Round)
	clients.each(func(c Client) {
		p := w.picker()
		for time.Now().Before(end) && ctx.Err() == nil {
			if err := p.pair(ctx, c); err != nil {
				cancel(err)
				return
			}
			pairs.Add(1)
		}
	})
	return pairs.Load(), time.Since(start), context.Cause(ctx)
}
